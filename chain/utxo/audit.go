package utxo

import (
	"errors"
	"fmt"
	"math/bits"
)

// Recount walks every coin and every slot and computes count and value anew. An
// error says what does not fit the running sums or cannot be found by its
// outpoint, which a fault of the machine's memory may cause.
func (s *Set) Recount() (count int, value uint64, err error) {
	for i := range s.parts {
		n, v, err := s.recount(i)
		if err != nil {
			return 0, 0, fmt.Errorf("utxo: auditing partition %d: %w", i, err)
		}
		var carry uint64
		if value, carry = bits.Add64(value, v, 0); carry != 0 {
			return 0, 0, errors.New("utxo: the amounts overflow")
		}
		count += n
	}
	return count, value, nil
}

func (s *Set) recount(part int) (count int, value uint64, err error) {
	p := &s.parts[part]
	p.each(func(ref uint32, e *entry) bool {
		op := e.outpoint()
		if Partition(&e.owner) != part {
			err = fmt.Errorf("%v belongs to partition %d", op, Partition(&e.owner))
			return false
		}
		if _, _, found := p.find(s.hash(&op), &op); found != e {
			err = fmt.Errorf("%v is not found by its outpoint", op)
			return false
		}
		var carry uint64
		if value, carry = bits.Add64(value, e.amount(), 0); carry != 0 {
			err = errors.New("the amounts overflow")
			return false
		}
		count++
		return true
	})
	slots := 0
	for _, t := range []*table{&p.idx.table, &p.idx.old} {
		for _, sl := range t.slots {
			if sl != 0 {
				slots++
			}
		}
	}
	switch {
	case err != nil:
		return 0, 0, err
	case count != p.idx.n || slots != count:
		return 0, 0, fmt.Errorf("%d coins, %d counted, in %d slots", count, p.idx.n, slots)
	case p.carry != 0 || value != p.value:
		return 0, 0, fmt.Errorf("the coins are worth %d, the running sum is %d", value, p.value)
	}
	return count, value, nil
}
