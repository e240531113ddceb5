package cosi

import (
	"fmt"
	"slices"
)

// Collector gathers the contributions of a committee to one message. It holds
// at most one contribution a seat, since their masks must be disjoint.
type Collector struct {
	committee *Committee
	msg       []byte
	// hashed is msg prepared, once the first check needs it. Inner nodes of a
	// tree never do.
	hashed Message
	// mask is the union of checked and pending.
	mask    Mask
	checked []part // at most one: the sum of all that passed a check
	pending []part
	// suspect are senders of something wrong. What they send again is checked
	// on arrival: they cannot make others pay for a search twice.
	suspect Mask
}

// part is a contribution whose point is parsed.
type part struct {
	from  int
	mask  Mask
	point Point
}

// NewCollector starts gathering for msg, which it copies.
func NewCollector(c *Committee, msg []byte) *Collector {
	return &Collector{
		committee: c,
		msg:       slices.Clone(msg),
		mask:      NewMask(c.Size()),
		suspect:   NewMask(c.Size()),
	}
}

// AddShare takes the share of the seat that sent it.
func (k *Collector) AddShare(from int, sig Signature) error {
	if from < 0 || from >= k.committee.Size() {
		return fmt.Errorf("cosi: share of seat %d in a committee of %d: %w", from, k.committee.Size(), ErrSeat)
	}
	return k.Add(from, Contribution{k.committee.maskOf(from), sig})
}

// Add takes a contribution from the seat that sent it. Its mask must fit the
// committee, name somebody and nobody who is counted already, and its signature
// must be a point of the group. Whether that is a signature on the message is
// not checked here, unless the sender was wrong before. Whether the sender may
// speak for these seats is for the caller to check.
func (k *Collector) Add(from int, c Contribution) error {
	size := k.committee.Size()
	switch {
	case from < 0 || from >= size:
		return fmt.Errorf("cosi: contribution from seat %d in a committee of %d: %w", from, size, ErrSeat)
	case c.Mask.seats != size:
		return fmt.Errorf("cosi: contribution for %d seats in a committee of %d: %w", c.Mask.seats, size, ErrMask)
	case c.Mask.Count() == 0:
		return fmt.Errorf("cosi: contribution from seat %d is of nobody: %w", from, ErrMask)
	case c.Mask.Overlaps(k.mask):
		return fmt.Errorf("cosi: contribution from seat %d: %w", from, ErrOverlap)
	}
	point, err := k.committee.parsed.Point(c.Sig)
	if err != nil {
		return fmt.Errorf("cosi: contribution from seat %d: %w", from, err)
	}
	p := part{from, c.Mask.Clone(), point}
	if k.suspect.Has(from) && !k.holds([]part{p}) {
		return fmt.Errorf("cosi: contribution from seat %d: %w", from, ErrSignature)
	}
	k.pending = append(k.pending, p)
	k.mask.add(p.mask)
	return nil
}

// Count is the number of seats gathered so far, wrong ones included that no
// check has found yet.
func (k *Collector) Count() int { return k.mask.Count() }

// Mask are the seats gathered so far. It must not be changed.
func (k *Collector) Mask() Mask { return k.mask }

// Aggregate sums up what is there, unchecked: what an inner node of a tree
// sends on. It fails if nothing is there, or if somebody's contribution cancels
// the others', which Settle then finds.
func (k *Collector) Aggregate() (Contribution, error) {
	p, err := k.sum(slices.Concat(k.checked, k.pending))
	if err != nil {
		return Contribution{}, err
	}
	return Contribution{p.mask, k.committee.parsed.Encode(p.point)}, nil
}

// Certificate is the certificate of what is there, if that is a quorum and
// right. All that came since the last check is checked at once; if that fails,
// the wrong contributions are dropped, and who sent them is returned in order,
// whether or not the rest is a quorum. An inner node of a tree may be named for
// a share that it passed on unchecked. When there is no quorum the error says
// how many are there, nothing is lost, and contributions for the dropped seats
// are welcome again.
func (k *Collector) Certificate() (Certificate, []int, error) {
	if err := k.quorum(); err != nil {
		return Certificate{}, nil, err
	}
	culprits := k.Settle()
	if err := k.quorum(); err != nil {
		return Certificate{}, culprits, err
	}
	all, err := k.Aggregate()
	if err != nil {
		return Certificate{}, culprits, err
	}
	return Certificate(all), culprits, nil
}

func (k *Collector) quorum() error {
	if n, q := k.Count(), k.committee.Quorum(); n < q {
		return fmt.Errorf("cosi: %d of %d seats signed, %d are needed: %w", n, k.committee.Size(), q, ErrQuorum)
	}
	return nil
}

// Settle checks what came since the last check, drops what is wrong and returns
// who sent it, in order.
func (k *Collector) Settle() []int {
	if len(k.pending) == 0 {
		return nil
	}
	good, wrong := k.sift(k.pending, false)
	k.pending = nil
	k.checked = append(k.checked, good...)
	if all, err := k.sum(k.checked); err == nil {
		k.checked = []part{all}
	}
	k.mask = NewMask(k.committee.Size())
	for _, p := range k.checked {
		k.mask.add(p.mask)
	}
	culprits := NewMask(k.committee.Size())
	for _, p := range wrong {
		culprits.Set(p.from)
	}
	k.suspect.add(culprits)
	return culprits.Members()
}

// sift separates the parts that hold from those that do not. bad says that the
// sum of all is known not to hold.
func (k *Collector) sift(parts []part, bad bool) (good, wrong []part) {
	if !bad && k.holds(parts) {
		return parts, nil
	}
	if len(parts) == 1 {
		return nil, parts
	}
	half := len(parts) / 2
	good, wrong = k.sift(parts[:half], false)
	// If the first half holds, the second is what made the sum wrong.
	good2, wrong2 := k.sift(parts[half:], len(wrong) == 0)
	return slices.Concat(good, good2), slices.Concat(wrong, wrong2)
}

// holds reports whether the sum of parts is right: one pairing check. Wrong
// shares that cancel out within the sum do no harm: the sum is what is used.
func (k *Collector) holds(parts []part) bool {
	if k.hashed == nil {
		m, err := k.committee.parsed.Message(k.msg)
		if err != nil {
			return false
		}
		k.hashed = m
	}
	all, err := k.sum(parts)
	return err == nil && k.committee.parsed.Check(all.mask, k.hashed, all.point)
}

// sum adds up parts of disjoint masks.
func (k *Collector) sum(parts []part) (part, error) {
	if len(parts) == 0 {
		return part{}, fmt.Errorf("cosi: nothing to sum up: %w", ErrQuorum)
	}
	mask := NewMask(k.committee.Size())
	points := make([]Point, len(parts))
	for i, p := range parts {
		mask.add(p.mask)
		points[i] = p.point
	}
	point, err := k.committee.parsed.Sum(points)
	if err != nil {
		return part{}, err
	}
	return part{mask: mask, point: point}, nil
}
