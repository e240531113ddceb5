package cosi

import (
	"fmt"
	"slices"
)

// Committee is an ordered list of public keys, parsed once. It does not change.
type Committee struct {
	keys   []PublicKey
	parsed Keys
}

// NewCommitteeOf is for schemes: it joins a list of keys with what the scheme
// made of them. Users call [Scheme.NewCommittee].
func NewCommitteeOf(keys []PublicKey, parse func([]PublicKey) (Keys, error)) (*Committee, error) {
	if len(keys) == 0 || len(keys) > MaxSeats {
		return nil, fmt.Errorf("cosi: committee of %d keys, between 1 and %d are possible: %w", len(keys), MaxSeats, ErrKey)
	}
	seats := make(map[PublicKey]int, len(keys))
	for i, key := range keys {
		// A key in two seats would count twice for one signer.
		if first, ok := seats[key]; ok {
			return nil, fmt.Errorf("cosi: seats %d and %d have the same key: %w", first, i, ErrKey)
		}
		seats[key] = i
	}
	parsed, err := parse(keys)
	if err != nil {
		return nil, err
	}
	return &Committee{slices.Clone(keys), parsed}, nil
}

// Derive is the committee of other keys, of which those that c has need not be
// parsed again: a shard's committee from that of all validators, or the next
// batch's from this one's.
func (c *Committee) Derive(keys []PublicKey) (*Committee, error) {
	return NewCommitteeOf(keys, c.parsed.Derive)
}

// Size is s, the number of seats.
func (c *Committee) Size() int { return len(c.keys) }

// Faults is f, the most faulty seats.
func (c *Committee) Faults() int { return Faults(len(c.keys)) }

// Quorum is q, the seats that a certificate needs.
func (c *Committee) Quorum() int { return Quorum(len(c.keys)) }

// Key is the key of a seat that the committee has.
func (c *Committee) Key(seat int) PublicKey { return c.keys[seat] }

// Seat is the seat of a key, or -1.
func (c *Committee) Seat(key PublicKey) int { return slices.Index(c.keys, key) }

// Verify checks that a quorum of the committee signed msg.
func (c *Committee) Verify(msg []byte, cert Certificate) error {
	if cert.Mask.seats != c.Size() {
		return fmt.Errorf("cosi: certificate for %d seats in a committee of %d: %w", cert.Mask.seats, c.Size(), ErrMask)
	}
	if n := cert.Mask.Count(); n < c.Quorum() {
		return fmt.Errorf("cosi: certificate of %d of %d seats, %d are needed: %w", n, c.Size(), c.Quorum(), ErrQuorum)
	}
	return c.verify(msg, cert.Mask, cert.Sig)
}

// VerifyShare checks one seat's signature on msg.
func (c *Committee) VerifyShare(seat int, msg []byte, sig Signature) error {
	if seat < 0 || seat >= c.Size() {
		return fmt.Errorf("cosi: share of seat %d in a committee of %d: %w", seat, c.Size(), ErrSeat)
	}
	return c.verify(msg, c.maskOf(seat), sig)
}

func (c *Committee) verify(msg []byte, mask Mask, sig Signature) error {
	p, err := c.parsed.Point(sig)
	if err != nil {
		return err
	}
	m, err := c.parsed.Message(msg)
	if err != nil {
		return err
	}
	if !c.parsed.Check(mask, m, p) {
		return fmt.Errorf("cosi: signature of %v seats: %w", mask, ErrSignature)
	}
	return nil
}

// maskOf is the mask of one seat that the committee has.
func (c *Committee) maskOf(seat int) Mask {
	m := NewMask(c.Size())
	m.Set(seat)
	return m
}
