package pvss

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Tags keep the domains of hashes apart.
const (
	tagH          = "ios/pvss-generator-h/v1"
	tagSecret     = "ios/pvss-secret/v1"
	tagPossession = "ios/pvss-possession/v1"
	tagDealing    = "ios/pvss-dealing/v1"
	tagOpening    = "ios/pvss-decryption/v1"
	tagFold       = "ios/pvss-decryption-fold/v1"
	tagBatch      = "ios/pvss-batch/v1"
	tagItem       = "ios/pvss-batch-item/v1"
	tagPoly       = "ios/pvss-polynomial/v1"
	tagNonce      = "ios/pvss-nonce/v1"
)

// size is the length of an encoded point or scalar.
const size = 32

type (
	point  = curve.RistrettoPoint
	number = scalar.Scalar
)

// The generators: the standard one, and one that is hashed to, so that nobody
// knows its logarithm.
var (
	genG   = curve.RISTRETTO_BASEPOINT_POINT
	tableG = curve.RISTRETTO_BASEPOINT_TABLE
	genH   = hashToPoint(tagH)
	tableH = curve.NewRistrettoBasepointTable(genH)
	bytesG = encode(genG)
	bytesH = encode(genH)
)

// hashToPoint is the one-way map of RFC 9496 section 4.3.4 over SHA-512.
func hashToPoint(tag string) *point {
	wide := sha512.Sum512([]byte(tag))
	p := curve.NewRistrettoPoint()
	if _, err := p.SetUniformBytes(wide[:]); err != nil {
		panic(err) // 64 bytes are what it takes
	}
	return p
}

func encode(p *point) (b [size]byte) {
	var c curve.CompressedRistretto
	c.SetRistrettoPoint(p)
	copy(b[:], c[:])
	return b
}

func appendPoint(dst []byte, p *point) []byte {
	b := encode(p)
	return append(dst, b[:]...)
}

func appendNumber(dst []byte, s *number) []byte {
	var b [size]byte
	if err := s.ToBytes(b[:]); err != nil {
		panic(err) // 32 bytes are what it takes
	}
	return append(dst, b[:]...)
}

// decodePoint reads a canonically encoded point.
func decodePoint(p *point, raw []byte) error {
	if _, err := p.SetCompressed((*curve.CompressedRistretto)(raw[:size])); err != nil {
		return fmt.Errorf("%x is not the encoding of a point", raw[:size])
	}
	return nil
}

func decodePoints(raw []byte) ([]point, error) {
	list := make([]point, len(raw)/size)
	for i := range list {
		if err := decodePoint(&list[i], raw[i*size:]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// decodeNumber reads a scalar below the order of the group.
func decodeNumber(s *number, raw []byte) error {
	if _, err := s.SetCanonicalBytes(raw[:size]); err != nil {
		return fmt.Errorf("%x is not below the order of the group", raw[:size])
	}
	return nil
}

func decodeNumbers(raw []byte) ([]number, error) {
	list := make([]number, len(raw)/size)
	for i := range list {
		if err := decodeNumber(&list[i], raw[i*size:]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// reduce reads a scalar from 64 bytes of hash, so that the bias is negligible.
func reduce(s *number, wide []byte) {
	if _, err := s.SetBytesModOrderWide(wide); err != nil {
		panic(err) // 64 bytes are what it takes
	}
}

// writer hashes a statement behind its length-prefixed tag.
type writer struct{ hash.Hash }

func newWriter(h hash.Hash, tag string) writer {
	h.Write([]byte{byte(len(tag))})
	h.Write([]byte(tag))
	return writer{h}
}

func (w writer) number(n int) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	w.Write(b[:])
}

// challenge is the scalar that a 64-byte hash gives.
func (w writer) challenge() (c number) {
	reduce(&c, w.Sum(nil))
	return c
}

// coefficients is a stream of 128-bit scalars, from SHA-256 in counter mode.
type coefficients struct {
	seed    [sha256.Size]byte
	counter uint64
	block   [sha256.Size]byte
	odd     bool
}

func (s *coefficients) next() (c number) {
	if !s.odd {
		var in [sha256.Size + 8]byte
		copy(in[:], s.seed[:])
		binary.BigEndian.PutUint64(in[sha256.Size:], s.counter)
		s.block = sha256.Sum256(in[:])
		s.counter++
	}
	var wide [size]byte
	if s.odd {
		copy(wide[:], s.block[16:])
	} else {
		copy(wide[:], s.block[:16])
	}
	s.odd = !s.odd
	if _, err := c.SetCanonicalBytes(wide[:]); err != nil {
		panic(err) // 128 bits are below the order
	}
	return c
}
