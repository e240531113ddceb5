package pvss

import (
	"crypto/sha256"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Item is what a batch checks: a [Parsed] dealing or an [Opened] decryption.
type Item interface {
	digest() [32]byte
	terms(sum *combination, coefs *coefficients)
}

// Batch checks many dealings and decryptions at once.
type Batch struct{ items []Item }

// Add puts an item into the batch and returns its number there.
func (b *Batch) Add(it Item) int {
	b.items = append(b.items, it)
	return len(b.items) - 1
}

// Len is how many items the batch has.
func (b *Batch) Len() int { return len(b.items) }

// Check returns the numbers of the items that are wrong, none if all are right.
// If all are, it costs one multi-scalar multiplication; else each item is checked
// alone, about three times as much in sum.
func (b *Batch) Check() (wrong []int) {
	if holds(b.items) {
		return nil
	}
	for i := range b.items {
		if !holds(b.items[i : i+1]) {
			wrong = append(wrong, i)
		}
	}
	return wrong
}

// holds reports whether the equations of all items hold: the sum of all, each
// times a coefficient of its own, is zero.
func holds(items []Item) bool {
	w := newWriter(sha256.New(), tagBatch)
	w.number(len(items))
	for _, it := range items {
		d := it.digest()
		w.Write(d[:])
	}
	coefs := coefficients{seed: [32]byte(w.Sum(nil))}
	var sum combination
	for _, it := range items {
		it.terms(&sum, &coefs)
	}
	return sum.total().IsIdentity()
}

// itemDigest covers an item: its challenge is a hash of all of it but the
// responses.
func itemDigest(challenge *number, responses []byte) [32]byte {
	w := newWriter(sha256.New(), tagItem)
	w.Write(appendNumber(nil, challenge))
	w.Write(responses)
	return [32]byte(w.Sum(nil))
}

// combination is a sum of scalars times points, all of them public. Those that
// many items share, the generators and the receivers' keys, are in it once.
type combination struct {
	scalars []number
	points  []*point
	g, h    number
	keys    []ofKeys
}

// ofKeys are the scalars on the keys of receivers.
type ofKeys struct {
	r       *Receivers
	scalars []number
}

func (s *combination) add(n number, p *point) {
	s.scalars = append(s.scalars, n)
	s.points = append(s.points, p)
}

// keysOf is where the scalars on the keys of receivers add up.
func (s *combination) keysOf(r *Receivers) []number {
	for i := len(s.keys) - 1; i >= 0; i-- {
		if s.keys[i].r == r {
			return s.keys[i].scalars
		}
	}
	s.keys = append(s.keys, ofKeys{r, make([]number, len(r.keys))})
	return s.keys[len(s.keys)-1].scalars
}

// total is the sum.
func (s *combination) total() *point {
	s.add(s.g, genG)
	s.add(s.h, genH)
	for _, k := range s.keys {
		for j := range k.scalars {
			s.add(k.scalars[j], &k.r.points[j])
		}
	}
	scalars := make([]*scalar.Scalar, len(s.scalars))
	for i := range scalars {
		scalars[i] = &s.scalars[i]
	}
	return curve.NewRistrettoPoint().MultiscalarMulVartime(scalars, s.points)
}
