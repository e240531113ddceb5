package ristretto

import (
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"go.dedis.ch/kyber/v3"
)

// Point is an element of the group. [Group.Point] makes one: the zero Point is none,
// and compares equal to all.
type Point struct{ p curve.RistrettoPoint }

var _ kyber.Point = (*Point)(nil)

func (p *Point) bytes() (b [size]byte) {
	var c curve.CompressedRistretto
	c.SetRistrettoPoint(&p.p)
	copy(b[:], c[:])
	return b
}

// Equal compares in constant time.
func (p *Point) Equal(q kyber.Point) bool { return p.p.Equal(&q.(*Point).p) == 1 }

// Null sets to the neutral element.
func (p *Point) Null() kyber.Point {
	p.p.Identity()
	return p
}

// Base sets to the standard generator.
func (p *Point) Base() kyber.Point {
	p.p.Set(curve.RISTRETTO_BASEPOINT_POINT)
	return p
}

// Pick sets to a uniform point whose logarithm nobody knows.
func (p *Point) Pick(rand cipher.Stream) kyber.Point {
	var wide [2 * size]byte
	draw(rand, wide[:])
	if _, err := p.p.SetUniformBytes(wide[:]); err != nil {
		panic(err) // 64 bytes are what it takes
	}
	return p
}

// Set copies.
func (p *Point) Set(q kyber.Point) kyber.Point {
	p.p.Set(&q.(*Point).p)
	return p
}

// Clone is a copy.
func (p *Point) Clone() kyber.Point {
	q := new(Point)
	q.p.Set(&p.p)
	return q
}

// embedded is how many bytes a point can hold: the rest are the length and what
// is drawn until the encoding is one, about once in eight.
const embedded = 24

// EmbedLen is the number of bytes that Embed can hold.
func (p *Point) EmbedLen() int { return embedded }

// Embed sets to a random point that holds the first EmbedLen bytes of data.
func (p *Point) Embed(data []byte, rand cipher.Stream) kyber.Point {
	data = data[:min(len(data), embedded)]
	for {
		var b curve.CompressedRistretto
		draw(rand, b[:])
		b[0] = byte(len(data)) << 1 // the lowest bit is zero in every encoding
		copy(b[1:], data)
		b[size-1] &= 0x7f
		if _, err := p.p.SetCompressed(&b); err == nil {
			return p
		}
	}
}

// Data is what Embed put in.
func (p *Point) Data() ([]byte, error) {
	b := p.bytes()
	n := int(b[0] >> 1)
	if n > embedded {
		return nil, errors.New("ristretto: the point holds no data")
	}
	return b[1 : 1+n : 1+n], nil
}

// Add sets to a+b.
func (p *Point) Add(a, b kyber.Point) kyber.Point {
	p.p.Add(&a.(*Point).p, &b.(*Point).p)
	return p
}

// Sub sets to a-b.
func (p *Point) Sub(a, b kyber.Point) kyber.Point {
	p.p.Sub(&a.(*Point).p, &b.(*Point).p)
	return p
}

// Neg sets to -a.
func (p *Point) Neg(a kyber.Point) kyber.Point {
	p.p.Neg(&a.(*Point).p)
	return p
}

// Mul sets to s·q, or to s times the generator if q is nil, in constant time.
func (p *Point) Mul(s kyber.Scalar, q kyber.Point) kyber.Point {
	if q == nil {
		p.p.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &s.(*Scalar).n)
	} else {
		p.p.Mul(&q.(*Point).p, &s.(*Scalar).n)
	}
	return p
}

// String is the encoding in hexadecimal.
func (p *Point) String() string {
	b := p.bytes()
	return hex.EncodeToString(b[:])
}

// MarshalSize is the length of the encoding.
func (p *Point) MarshalSize() int { return size }

// MarshalBinary is the canonical encoding.
func (p *Point) MarshalBinary() ([]byte, error) {
	b := p.bytes()
	return b[:], nil
}

// UnmarshalBinary reads a canonical encoding.
func (p *Point) UnmarshalBinary(b []byte) error {
	if len(b) != size {
		return fmt.Errorf("ristretto: point of %d bytes, %d are wanted", len(b), size)
	}
	var q curve.RistrettoPoint
	if _, err := q.SetCompressed((*curve.CompressedRistretto)(b)); err != nil {
		return fmt.Errorf("ristretto: %x is not the encoding of a point", b)
	}
	p.p.Set(&q)
	return nil
}

// MarshalTo writes the encoding.
func (p *Point) MarshalTo(w io.Writer) (int, error) {
	b := p.bytes()
	return w.Write(b[:])
}

// UnmarshalFrom reads an encoding, or picks a point from a key stream.
func (p *Point) UnmarshalFrom(r io.Reader) (int, error) {
	return read(r, func(rand cipher.Stream) { p.Pick(rand) }, p.UnmarshalBinary)
}
