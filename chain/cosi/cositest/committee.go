package cositest

import (
	"fmt"
	"slices"

	"ios/chain/cosi"
)

// committee implements cosi.Keys: points are numbers, messages are digests.
type committee struct {
	scheme *Scheme
	keys   []cosi.PublicKey
}

// Derive checks the form of the keys.
func (c *committee) Derive(keys []cosi.PublicKey) (cosi.Keys, error) {
	if c.scheme.Refuse != nil {
		if err := c.scheme.Refuse(); err != nil {
			return nil, err
		}
	}
	for i, key := range keys {
		if err := parseKey(key); err != nil {
			return nil, fmt.Errorf("cositest: seat %d: %w", i, err)
		}
	}
	return &committee{c.scheme, slices.Clone(keys)}, nil
}

func (*committee) Point(sig cosi.Signature) (cosi.Point, error) {
	n, err := parse(sig)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (*committee) Encode(p cosi.Point) cosi.Signature { return encode(p.(number)) }

func (*committee) Sum(points []cosi.Point) (cosi.Point, error) {
	var sum number
	for _, p := range points {
		sum = sum.plus(p.(number))
	}
	if sum == (number{}) {
		return nil, fmt.Errorf("cositest: signatures cancel out: %w", cosi.ErrPoint)
	}
	return sum, nil
}

func (*committee) Message(msg []byte) (cosi.Message, error) { return digest('s', msg), nil }

func (c *committee) Check(mask cosi.Mask, m cosi.Message, p cosi.Point) bool {
	var sum number
	for i, key := range c.keys {
		if mask.Has(i) {
			sum = sum.plus(c.scheme.share(key, m.([32]byte)))
		}
	}
	return sum == p.(number)
}

// CheckAll needs no shortcut.
func (c *committee) CheckAll(claims []cosi.Claim) bool {
	return !slices.ContainsFunc(claims, func(l cosi.Claim) bool { return !c.Check(l.Mask, l.Message, l.Point) })
}
