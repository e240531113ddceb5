package utxo

import (
	"math/bits"

	"ios/chain"
)

// entry is a coin and its outpoint: 76 bytes without padding. The amount is in
// halves, as a 64-bit field would make it 80.
type entry struct {
	tx       chain.TxID
	owner    chain.Address
	index    uint32
	low, top uint32 // of the amount; low is the next free entry while free
}

func (e *entry) amount() uint64           { return uint64(e.top)<<32 | uint64(e.low) }
func (e *entry) coin() Coin               { return Coin{Owner: e.owner, Amount: e.amount()} }
func (e *entry) outpoint() chain.OutPoint { return chain.OutPoint{Tx: e.tx, Index: e.index} }

const (
	pageBits = 10
	pageSize = 1 << pageBits // entries
)

// page is a piece of a slab. It has no pointers and never moves.
type page struct {
	live    [pageSize / 64]uint64 // which entries are in use
	entries [pageSize]entry
}

// partition holds the coins of the owners whose addresses end in one value.
type partition struct {
	idx   index
	pages []*page
	used  uint32 // entries handed out so far, in use or free
	free  uint32 // head of the list of free entries, plus one

	value, carry uint64 // sum of the amounts

	_ [8]uint64 // partitions are changed by different cores
}

func (p *partition) at(ref uint32) *entry { return &p.pages[ref>>pageBits].entries[ref&(pageSize-1)] }

// find looks for an outpoint. It gives the table and the slot to remove it by.
func (p *partition) find(hash uint32, op *chain.OutPoint) (t *table, i int, e *entry) {
	if t, i, e = p.findIn(&p.idx.table, hash, op); e == nil && p.idx.old.slots != nil {
		return p.findIn(&p.idx.old, hash, op)
	}
	return t, i, e
}

func (p *partition) findIn(t *table, hash uint32, op *chain.OutPoint) (*table, int, *entry) {
	if len(t.slots) == 0 {
		return t, 0, nil
	}
	mask := len(t.slots) - 1
	for i := t.home(hash); ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			return t, i, nil
		}
		if s.hash() == hash {
			if e := p.at(s.ref()); e.index == op.Index && e.tx == op.Tx {
				return t, i, e
			}
		}
	}
}

func (p *partition) add(hash uint32, op *chain.OutPoint, c *Coin) bool {
	if _, _, e := p.find(hash, op); e != nil {
		return false
	}
	ref, ok := p.alloc()
	if !ok || !p.idx.add(makeSlot(hash, ref)) {
		// 2^32 coins in one partition are 400 GB: memory ends long before.
		panic("utxo: a partition is full")
	}
	e := p.at(ref)
	e.tx, e.index, e.owner = op.Tx, op.Index, c.Owner
	e.low, e.top = uint32(c.Amount), uint32(c.Amount>>32)
	p.pages[ref>>pageBits].live[ref%pageSize/64] |= 1 << (ref % 64)
	var carry uint64
	p.value, carry = bits.Add64(p.value, c.Amount, 0)
	p.carry += carry
	return true
}

func (p *partition) remove(hash uint32, op *chain.OutPoint, owner *chain.Address) (c Coin, ok bool) {
	t, i, e := p.find(hash, op)
	if e == nil || e.owner != *owner {
		return c, false
	}
	c = e.coin()
	ref := t.slots[i].ref()
	t.remove(i)
	p.idx.n--
	p.idx.step()
	p.pages[ref>>pageBits].live[ref%pageSize/64] &^= 1 << (ref % 64)
	e.low, p.free = p.free, ref+1
	var borrow uint64
	p.value, borrow = bits.Sub64(p.value, c.Amount, 0)
	p.carry -= borrow
	return c, true
}

// alloc hands out an entry: the one freed last, else the next of the slab.
func (p *partition) alloc() (ref uint32, ok bool) {
	if p.free != 0 {
		ref = p.free - 1
		p.free = p.at(ref).low
		return ref, true
	}
	if ref = p.used; ref == 1<<32-1 {
		return 0, false
	}
	if ref%pageSize == 0 {
		p.pages = append(p.pages, new(page))
	}
	p.used++
	return ref, true
}

// each calls visit for the coins in use, in the order of the slab, until it
// returns false.
func (p *partition) each(visit func(ref uint32, e *entry) bool) bool {
	for n, pg := range p.pages {
		for w, word := range pg.live {
			for ; word != 0; word &= word - 1 {
				i := w*64 + bits.TrailingZeros64(word)
				if !visit(uint32(n*pageSize+i), &pg.entries[i]) {
					return false
				}
			}
		}
	}
	return true
}
