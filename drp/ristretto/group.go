package ristretto

import (
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"go.dedis.ch/kyber/v3"
)

// size is the length of an encoded point or scalar.
const size = 32

// Group is ristretto255.
type Group struct{}

var _ kyber.Group = Group{}

// String is the name of the group.
func (Group) String() string { return "ristretto255" }

// ScalarLen is the length of an encoded scalar.
func (Group) ScalarLen() int { return size }

// Scalar is a new scalar, zero.
func (Group) Scalar() kyber.Scalar { return &Scalar{*scalar.New()} }

// PointLen is the length of an encoded point.
func (Group) PointLen() int { return size }

// Point is a new point, the neutral element.
func (Group) Point() kyber.Point { return &Point{*curve.NewRistrettoPoint()} }

// draw reads bytes from a key stream.
func draw(rand cipher.Stream, b []byte) {
	clear(b)
	rand.XORKeyStream(b, b)
}

// read fills an object from a reader, which may be a key stream to pick from.
func read(r io.Reader, pick func(cipher.Stream), unmarshal func([]byte) error) (int, error) {
	if stream, ok := r.(cipher.Stream); ok {
		pick(stream)
		return -1, nil // the number of bytes is unknown then
	}
	var b [size]byte
	n, err := io.ReadFull(r, b[:])
	if err != nil {
		return n, fmt.Errorf("ristretto: reading an encoding: %w", err)
	}
	return n, unmarshal(b[:])
}
