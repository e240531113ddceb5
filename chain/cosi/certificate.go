package cosi

import (
	"encoding/binary"
	"fmt"
)

// Contribution is the sum of the shares of the seats in its mask: one share, or
// what an inner node of a tree gathered. Nothing is known to be right about it
// until a [Collector] has checked it.
type Contribution struct {
	Mask Mask
	Sig  Signature
}

// Certificate is a Contribution that is meant to convince: its mask has a
// quorum. It is only as good as the [Committee.Verify] that it passes.
type Certificate struct {
	Mask Mask
	Sig  Signature
}

// AppendTo appends the canonical encoding: the seats of the committee (16 bits,
// big endian), the mask and the signature.
func (c Certificate) AppendTo(b []byte) []byte { return appendSigned(b, c.Mask, c.Sig) }

// AppendTo appends the canonical encoding, the same as of a certificate.
func (c Contribution) AppendTo(b []byte) []byte { return appendSigned(b, c.Mask, c.Sig) }

// EncodedSize is the length of a certificate's or contribution's encoding in a
// committee of this many seats.
func EncodedSize(seats int) int { return 2 + maskBytes(seats) + SignatureSize }

// Decode reads a certificate from the start of b and returns how many bytes it
// took. Whether it fits a committee is for [Committee.Verify] to say.
func (c *Certificate) Decode(b []byte) (int, error) {
	mask, sig, n, err := decodeSigned(b)
	if err != nil {
		return 0, fmt.Errorf("cosi: certificate: %w", err)
	}
	*c = Certificate{mask, sig}
	return n, nil
}

// Decode reads a contribution from the start of b and returns how many bytes it
// took.
func (c *Contribution) Decode(b []byte) (int, error) {
	mask, sig, n, err := decodeSigned(b)
	if err != nil {
		return 0, fmt.Errorf("cosi: contribution: %w", err)
	}
	*c = Contribution{mask, sig}
	return n, nil
}

func appendSigned(b []byte, mask Mask, sig Signature) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(mask.seats))
	b = append(b, mask.bits...)
	return append(b, sig[:]...)
}

func decodeSigned(b []byte) (mask Mask, sig Signature, size int, err error) {
	if len(b) < 2 {
		return mask, sig, 0, fmt.Errorf("%d bytes hold no seat count: %w", len(b), ErrEncoding)
	}
	seats := int(binary.BigEndian.Uint16(b))
	size = EncodedSize(seats)
	if len(b) < size {
		return mask, sig, 0, fmt.Errorf("%d bytes where %d seats take %d: %w", len(b), seats, size, ErrEncoding)
	}
	mask, err = ParseMask(seats, b[2:2+maskBytes(seats)])
	if err != nil {
		return mask, sig, 0, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	copy(sig[:], b[size-SignatureSize:])
	return mask, sig, size, nil
}
