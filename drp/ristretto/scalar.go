package ristretto

import (
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"go.dedis.ch/kyber/v3"
)

// Scalar is an integer modulo the order of the group.
type Scalar struct{ n scalar.Scalar }

var _ kyber.Scalar = (*Scalar)(nil)

func (s *Scalar) bytes() (b [size]byte) {
	if err := s.n.ToBytes(b[:]); err != nil {
		panic(err) // 32 bytes are what it takes
	}
	return b
}

// Equal compares in constant time.
func (s *Scalar) Equal(t kyber.Scalar) bool { return s.n.Equal(&t.(*Scalar).n) == 1 }

// Set copies.
func (s *Scalar) Set(a kyber.Scalar) kyber.Scalar {
	s.n.Set(&a.(*Scalar).n)
	return s
}

// Clone is a copy.
func (s *Scalar) Clone() kyber.Scalar { return &Scalar{s.n} }

// SetInt64 sets to a small integer, which may be negative.
func (s *Scalar) SetInt64(v int64) kyber.Scalar {
	if v < 0 {
		s.n.SetUint64(-uint64(v))
		s.n.Neg(&s.n)
	} else {
		s.n.SetUint64(uint64(v))
	}
	return s
}

// Zero sets to 0.
func (s *Scalar) Zero() kyber.Scalar {
	s.n.Zero()
	return s
}

// One sets to 1.
func (s *Scalar) One() kyber.Scalar {
	s.n.One()
	return s
}

// Add sets to a+b.
func (s *Scalar) Add(a, b kyber.Scalar) kyber.Scalar {
	s.n.Add(&a.(*Scalar).n, &b.(*Scalar).n)
	return s
}

// Sub sets to a-b.
func (s *Scalar) Sub(a, b kyber.Scalar) kyber.Scalar {
	s.n.Sub(&a.(*Scalar).n, &b.(*Scalar).n)
	return s
}

// Neg sets to -a.
func (s *Scalar) Neg(a kyber.Scalar) kyber.Scalar {
	s.n.Neg(&a.(*Scalar).n)
	return s
}

// Mul sets to a·b.
func (s *Scalar) Mul(a, b kyber.Scalar) kyber.Scalar {
	s.n.Mul(&a.(*Scalar).n, &b.(*Scalar).n)
	return s
}

// Div sets to a/b.
func (s *Scalar) Div(a, b kyber.Scalar) kyber.Scalar {
	var inverse scalar.Scalar
	inverse.Invert(&b.(*Scalar).n)
	s.n.Mul(&a.(*Scalar).n, &inverse)
	return s
}

// Inv sets to 1/a.
func (s *Scalar) Inv(a kyber.Scalar) kyber.Scalar {
	s.n.Invert(&a.(*Scalar).n)
	return s
}

// Pick sets to a uniform scalar.
func (s *Scalar) Pick(rand cipher.Stream) kyber.Scalar {
	var wide [2 * size]byte
	draw(rand, wide[:])
	if _, err := s.n.SetBytesModOrderWide(wide[:]); err != nil {
		panic(err) // 64 bytes are what it takes
	}
	return s
}

// order is 2^252 + 27742317777372353535851937790883648493.
var order = func() *big.Int {
	n, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	return n.SetBit(n, 252, 1)
}()

// SetBytes sets to a number of any length in little endian, reduced.
func (s *Scalar) SetBytes(b []byte) kyber.Scalar {
	reversed := make([]byte, len(b))
	for i := range b {
		reversed[len(b)-1-i] = b[i]
	}
	v := new(big.Int).SetBytes(reversed)
	v.Mod(v, order)
	var raw, little [size]byte
	v.FillBytes(raw[:])
	for i := range raw {
		little[size-1-i] = raw[i]
	}
	if _, err := s.n.SetCanonicalBytes(little[:]); err != nil {
		panic(err) // it is reduced
	}
	return s
}

// String is the encoding in hexadecimal.
func (s *Scalar) String() string {
	b := s.bytes()
	return hex.EncodeToString(b[:])
}

// MarshalSize is the length of the encoding.
func (s *Scalar) MarshalSize() int { return size }

// MarshalBinary is the canonical encoding, in little endian.
func (s *Scalar) MarshalBinary() ([]byte, error) {
	b := s.bytes()
	return b[:], nil
}

// UnmarshalBinary reads a canonical encoding.
func (s *Scalar) UnmarshalBinary(b []byte) error {
	if len(b) != size {
		return fmt.Errorf("ristretto: scalar of %d bytes, %d are wanted", len(b), size)
	}
	var n scalar.Scalar
	if _, err := n.SetCanonicalBytes(b); err != nil {
		return fmt.Errorf("ristretto: scalar is not below the order of the group: %w", err)
	}
	s.n = n
	return nil
}

// MarshalTo writes the encoding.
func (s *Scalar) MarshalTo(w io.Writer) (int, error) {
	b := s.bytes()
	return w.Write(b[:])
}

// UnmarshalFrom reads an encoding, or picks a scalar from a key stream.
func (s *Scalar) UnmarshalFrom(r io.Reader) (int, error) {
	return read(r, func(rand cipher.Stream) { s.Pick(rand) }, s.UnmarshalBinary)
}
