package identity

import (
	"ios/chain"
	"ios/chain/cosi"
	"ios/drp"
)

// State is the application of the identity chain: what its final blocks have come
// to, and an execution on top of them. It implements the Application of package
// pob/byzcoin. It is not shared between goroutines.
type State struct {
	book   *Book
	final  *ledger
	open   *ledger // nil without an execution
	report *Report
	broken error
	known  outputs // by its checkers
}

// NewState is the state of a genesis that [CheckGenesis] has passed.
func NewState(g *chain.Genesis, scheme cosi.Scheme) (*State, error) {
	book, err := NewBook(g, scheme)
	if err != nil {
		return nil, err
	}
	l := &ledger{}
	for i := range g.Validators {
		l.entries = append(l.entries, &entry{id: chain.ValidatorID(i), now: g.Validators[i], in: true, wants: true})
	}
	for _, s := range book.Current().Shards {
		l.bases = append(l.bases, s.Base)
	}
	return &State{book: book, final: l}, nil
}

// Height is the height of the last final block.
func (s *State) Height() uint64 { return s.final.height }

// Next is the term of the next block. The block that records an epoch is the last
// of its term.
func (s *State) Next() chain.Term { return s.book.Current().Term() }

// Book is the book as of the last final block. It changes with the state; see
// [Book.Clone].
func (s *State) Book() *Book { return s.book }

// Err says why the state can no longer be used: it should not happen.
func (s *State) Err() error { return s.broken }

// Funds are where the stakes are, as of the last final block.
func (s *State) Funds() Funds { return s.final.funds() }

// Credit is what a key's address has to pay stakes with.
func (s *State) Credit(owner chain.Address) uint64 {
	if i, ok := s.final.findCredit(owner); ok {
		return s.final.credits[i].amount
	}
	return 0
}

// Status is what the registry has of a validator.
type Status struct {
	Validator chain.Validator // as it counts now, or will
	Rotation  *chain.Validator
	Orders    uint64 // that it gave; the next is one more
	Member    bool   // of the current epoch
	Waiting   bool   // to become one
	Leaving   bool   // asked to leave
	Gone      bool
	Alive     bool // gave a sign of life in this epoch
	Missed    int  // epochs in a row without one, before this
}

// Validator is what the registry has of a validator, as of the last final block.
func (s *State) Validator(id chain.ValidatorID) (Status, bool) {
	if int(id) >= len(s.final.entries) {
		return Status{}, false
	}
	e := s.final.entries[id]
	return Status{
		Validator: e.now, Rotation: e.next, Orders: e.seq, Member: e.in, Waiting: !e.in && e.wants && !e.leave,
		Leaving: e.leave && !e.gone, Gone: e.gone, Alive: e.alive, Missed: int(e.missed),
	}, true
}

// Registered is how many validators ever joined: the place of the next.
func (s *State) Registered() int { return len(s.final.entries) }

// Payouts are what is not due yet, by number.
func (s *State) Payouts() []Payout { return append([]Payout(nil), s.final.payouts...) }

// Base is the newest final block that the chain knows of a shard.
func (s *State) Base(shard chain.ShardID) (Point, bool) {
	if int(shard) >= len(s.final.bases) {
		return Point{}, false
	}
	return s.final.bases[shard], true
}

// Seeded is the seed of the next epoch, if one is final.
func (s *State) Seeded() (Seeded, bool) {
	d := s.final.seed
	if d == nil {
		return Seeded{}, false
	}
	return Seeded{SeedRef: d.ref, Raw: d.raw, Checked: d.checked, Frozen: d.frozen.hash}, true
}

// Seeded is a final seed.
type Seeded struct {
	SeedRef
	Raw     []byte      // the choice of package drp; it must not be changed
	Checked *drp.Choice // the same as a [Checker] here has seen it; nil if none has
	Frozen  chain.Hash  // the next frozen set's
}

// Checker checks bodies as of the last final block. It can be used by another
// goroutine than the state.
func (s *State) Checker() *Checker {
	return &Checker{book: s.book.Clone(), seed: s.final.seed, known: &s.known}
}
