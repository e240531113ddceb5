package pvss

import (
	"errors"
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Sum adds up shared secrets. The zero Sum is ready for use.
type Sum struct{ parts combination }

// Add adds the secrets of a list of dealings, all of which each of the
// decryptions opens: of exactly threshold many receivers, all found right.
func (s *Sum) Add(opened []*Opened) error {
	if len(opened) == 0 {
		return errors.New("pvss: no share of a dealing is open")
	}
	r, of := opened[0].r, opened[0].of
	if len(opened) != r.Threshold() {
		return fmt.Errorf("pvss: shares of %d receivers, %d open a dealing to %d", len(opened), r.Threshold(), r.Count())
	}
	at := make([]int, len(opened))
	for i, o := range opened {
		if o.r != r || !slices.Equal(o.of, of) {
			return errors.New("pvss: shares of different dealings")
		}
		if slices.Contains(at[:i], o.index) {
			return fmt.Errorf("pvss: receiver %d is there twice", o.index)
		}
		at[i] = o.index
	}
	weights := lagrange(at)
	for i, o := range opened {
		// The weights are the same for all dealings: the shares add up first.
		all := make([]*curve.RistrettoPoint, len(o.shares))
		for k := range all {
			all[k] = &o.shares[k]
		}
		s.parts.add(weights[i], curve.NewRistrettoPoint().Sum(all))
	}
	return nil
}

// Bytes is the encoding of the sum.
func (s *Sum) Bytes() [32]byte {
	parts := combination{scalars: slices.Clone(s.parts.scalars), points: slices.Clone(s.parts.points)}
	return encode(parts.total())
}

// lagrange gives the weights under which the values of a polynomial at the
// receivers' places, which differ, add up to its value at 0.
func lagrange(at []int) []number {
	weights, divisors := make([]number, len(at)), make([]number, len(at))
	list := make([]*scalar.Scalar, len(at))
	for i := range at {
		weights[i].One()
		divisors[i].One()
		list[i] = &divisors[i]
		xi := position(at[i])
		for k := range at {
			if k == i {
				continue
			}
			xk := position(at[k])
			weights[i].Mul(&weights[i], &xk)
			xk.Sub(&xk, &xi)
			divisors[i].Mul(&divisors[i], &xk)
		}
	}
	var all scalar.Scalar
	all.BatchInvert(list)
	for i := range weights {
		weights[i].Mul(&weights[i], &divisors[i])
	}
	return weights
}
