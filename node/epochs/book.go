package epochs

import (
	"slices"
	"sync"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/transepoch"
	"ios/transepoch/identity"
)

// History is for how many epochs a process knows who the members were. Who begins
// at the genesis needs all of them.
const History = 1 << 12

// Book is an identity.Book for many goroutines.
type Book struct {
	adding sync.Mutex // held while a record is verified

	mu      sync.Mutex
	book    *identity.Book
	changed chan struct{} // closed when there is another epoch
	// begun has the block of the identity chain that the record of an epoch is an
	// outcome of, of those that are known.
	begun map[uint64]identity.Point
}

// NewBook begins with a genesis. The scheme is cosi.BLS{} but for tests.
func NewBook(g *chain.Genesis, scheme cosi.Scheme) (*Book, error) {
	b, err := identity.NewBook(g, scheme)
	if err != nil {
		return nil, err
	}
	b.KeepHistory(History)
	return &Book{book: b, changed: make(chan struct{}), begun: make(map[uint64]identity.Point)}, nil
}

// Committee implements [chain.Committees]: for terms that convince.
func (b *Book) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.Committee(shard, term)
}

// Past is the committee of any term that is known. See [identity.Book.Past] for
// what it is good for.
func (b *Book) Past(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.Past(shard, term)
}

// Ever has all terms that are known, however long ago they were: for who restores
// blocks that it believed when their committee convinced, and for who checks a block
// that a later one leads down to, see [Book.Around]. Nobody may believe a block for
// such a committee's certificate alone.
func (b *Book) Ever() chain.Committees { return past{b} }

type past struct{ *Book }

func (p past) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	return p.Past(shard, term)
}

// Number is that of the current epoch.
func (b *Book) Number() uint64 { return b.Current().Number }

// Current is the record of the current epoch. It must not be changed.
func (b *Book) Current() *identity.Epoch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.Current()
}

// Changed is closed when there is another epoch than now.
func (b *Book) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// Snapshot is the book as it is now, for one goroutine.
func (b *Book) Snapshot() *identity.Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.Clone()
}

// Add takes the record of the next epoch, if it is proven. It is false for one
// that the book has already.
func (b *Book) Add(r *Record) (added bool, err error) {
	e, proof, err := r.decode()
	if err != nil {
		return false, err
	}
	b.adding.Lock()
	defer b.adding.Unlock()
	next := b.Snapshot()
	if e.Number <= next.Current().Number {
		return false, nil
	}
	if err := next.Add(r.Epoch, proof); err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book = next
	b.begun[e.Number] = identity.Point{Term: proof.Header.Term(), Height: proof.Header.Height, Block: proof.Header.Hash()}
	if e.Number > History {
		delete(b.begun, e.Number-History)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return true, nil
}

// Plan is how the shards change in an epoch.
func (b *Book) Plan(epoch uint64) (*transepoch.Plan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.Plan(epoch)
}

// ShardPlan is the plan that a shard follows, or may enter.
func (b *Book) ShardPlan(shard chain.ShardID) (*transepoch.Plan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.ShardPlan(shard)
}

// Board are the members of each shard at the beginning of the epoch that it is
// in or may enter, by seat.
func (b *Book) Board() ([][]chain.ValidatorID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	board := make([][]chain.ValidatorID, len(b.book.Current().Shards))
	for s := range board {
		plan, err := b.book.ShardPlan(chain.ShardID(s))
		if err != nil {
			return nil, err
		}
		board[s] = slices.Clone(plan.Old[s])
	}
	return board, nil
}

// Signing is a validator's key for messages in the current epoch.
func (b *Book) Signing(id chain.ValidatorID) (sig.PublicKey, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.book.Signing(id)
}

// Seats is [Seats] of the book as it is now.
func (b *Book) Seats(shard chain.ShardID) ([]chain.ValidatorID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, _, err := Seats(b.book, shard)
	return list, err
}

// Seats are who can have a seat in a shard now, those first who have one all the
// time: then those who come, and as many as leaving says who go.
func Seats(book *identity.Book, shard chain.ShardID) (list []chain.ValidatorID, leaving int, err error) {
	plan, err := book.ShardPlan(shard)
	if err != nil {
		return nil, 0, err
	}
	from, to := plan.Old[shard], plan.New[shard]
	var come, leave []chain.ValidatorID
	for _, v := range to {
		if slices.Contains(from, v) {
			list = append(list, v)
		} else {
			come = append(come, v)
		}
	}
	for _, v := range from {
		if !slices.Contains(to, v) {
			leave = append(leave, v)
		}
	}
	return slices.Concat(list, come, leave), len(leave), nil
}

// Who is a validator with a seat in a shard, as the registry had it when the
// shard's plan was made, or has it now.
func Who(book *identity.Book, shard chain.ShardID, id chain.ValidatorID) (*identity.Member, bool) {
	if v, ok := book.Current().Validator(id); ok {
		return v, true
	}
	plan, err := book.ShardPlan(shard)
	if err != nil {
		return nil, false
	}
	rec, err := book.Record(plan.Epoch)
	if err != nil {
		return nil, false
	}
	return rec.Validator(id)
}
