package byzcoin

import (
	"fmt"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
)

// Application executes the blocks.
type Application interface {
	// Execute applies the bodies in order on the last final state and returns
	// the root over what became of them. Outcomes is unset in h. At most one
	// execution is open.
	//
	// Content of a body is what the answer to Check gave; it is nil for a body
	// that came by synchronization or from the log, which a quorum has checked,
	// and the application then decodes the payload itself.
	Execute(h *chain.Header, bodies []*chain.Body) chain.Hash
	// Revert takes the open execution back.
	Revert()
	// Finalize makes the open execution permanent.
	Finalize(b *chain.Block)
	// Next is the term of the block above the last final one: its committee
	// makes it. It does not depend on an open execution.
	Next() chain.Term
}

// Config is what a machine is made from.
type Config struct {
	ChainID chain.Hash
	Shard   chain.ShardID
	Epoch   uint64
	Batch   uint32

	Members   []chain.ValidatorID // in the order of their seats
	Keys      []sig.PublicKey     // of the members, in the same order
	Committee *cosi.Committee     // of the members, in the same order
	Seat      int                 // ours; -1 follows the chain without a voice
	Lead      int                 // the seat that leads view 0

	Key *sig.Key // signs bodies, proposals and view changes
	// Cosign makes our share of a collective signature.
	Cosign func(msg []byte) (cosi.Signature, error)

	Policy Policy
	App    Application
	// Start is where the chain stands when this committee takes over.
	Start Point
}

// term is the term of the committee.
func (c *Config) term() chain.Term { return chain.Term{Epoch: c.Epoch, Batch: c.Batch} }

// Point is a place on a chain from which a committee builds.
type Point struct {
	Height uint64     // of the last block below
	Hash   chain.Hash // its hash; the chain id at height 0
}

// Policy is the sizes and times. The zero value of a field means its default.
type Policy struct {
	// Window is how many bodies of an author may be under way.
	Window int // 16
	// Quota is how many bodies of an author a block may hold.
	Quota int // 4
	// MaxBodyBytes bounds an encoded body.
	MaxBodyBytes int // chain.MaxBodyBytes
	// MaxBlockBytes bounds the sum of a block's bodies. It is at least
	// MaxBodyBytes.
	MaxBlockBytes int // 8 MiB
	// MinGap is the least time between two proposals, so that blocks gather
	// work.
	MinGap time.Duration // 20 ms
	// BlockInterval is the longest that a block should take. The other times
	// follow from it.
	BlockInterval time.Duration // 500 ms
	// ViewTimeout is how long a view may go without progress while there is
	// work. It doubles with every view that fails, up to 16 times.
	ViewTimeout time.Duration // 2 × BlockInterval
	// Delta is how old an acked body gets before a member insists on it with the
	// leader, and how long after that it prepares no block without it.
	Delta time.Duration // BlockInterval / 2
	// RetryInterval is when something unanswered is sent again.
	RetryInterval time.Duration // BlockInterval / 4
	// StatusInterval is how often the state is exchanged while something is
	// open; it is 5 times slower otherwise.
	StatusInterval time.Duration // 2 × BlockInterval
	// FetchBlocks and FetchBytes bound one answer in synchronization.
	FetchBlocks int // 32
	FetchBytes  int // 4 MiB
	// FetchHeaders is how many headers are asked for at a time, below a block that is
	// known.
	FetchHeaders int // 1024
	// TreeAbove is the size above which a committee votes over a tree.
	TreeAbove int // 16
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// WithDefaults fills in the fields that are zero.
func (p Policy) WithDefaults() Policy {
	p.Window = orDefault(p.Window, 16)
	p.Quota = orDefault(p.Quota, 4)
	p.MaxBodyBytes = orDefault(p.MaxBodyBytes, chain.MaxBodyBytes)
	p.MaxBlockBytes = orDefault(p.MaxBlockBytes, 8<<20)
	p.MinGap = orDefault(p.MinGap, 20*time.Millisecond)
	p.BlockInterval = orDefault(p.BlockInterval, 500*time.Millisecond)
	p.ViewTimeout = orDefault(p.ViewTimeout, 2*p.BlockInterval)
	p.Delta = orDefault(p.Delta, p.BlockInterval/2)
	p.RetryInterval = orDefault(p.RetryInterval, p.BlockInterval/4)
	p.StatusInterval = orDefault(p.StatusInterval, 2*p.BlockInterval)
	p.FetchBlocks = orDefault(p.FetchBlocks, 32)
	p.FetchBytes = orDefault(p.FetchBytes, 4<<20)
	p.FetchHeaders = orDefault(p.FetchHeaders, maxHeaders)
	p.TreeAbove = orDefault(p.TreeAbove, 16)
	return p
}

func (p *Policy) check() error {
	switch {
	case p.Window < 1 || p.Window > maxWindow:
		return fmt.Errorf("policy: a window of %d bodies, between 1 and %d are possible", p.Window, maxWindow)
	case p.Quota < 1 || p.Quota > p.Window:
		return fmt.Errorf("policy: a quota of %d bodies, between 1 and the window of %d are possible", p.Quota, p.Window)
	case p.MaxBodyBytes < 1 || p.MaxBodyBytes > chain.MaxBodyBytes:
		return fmt.Errorf("policy: bodies of %d bytes, between 1 and %d are possible", p.MaxBodyBytes, chain.MaxBodyBytes)
	case p.MaxBlockBytes < p.MaxBodyBytes:
		return fmt.Errorf("policy: blocks of %d bytes do not hold a body of %d", p.MaxBlockBytes, p.MaxBodyBytes)
	case p.FetchBlocks < 1 || p.FetchBlocks > maxSyncBlocks:
		return fmt.Errorf("policy: %d blocks an answer, between 1 and %d are possible", p.FetchBlocks, maxSyncBlocks)
	case p.FetchHeaders < 1 || p.FetchHeaders > maxHeaders:
		return fmt.Errorf("policy: %d headers an answer, between 1 and %d are possible", p.FetchHeaders, maxHeaders)
	case p.MinGap < 0 || p.BlockInterval <= 0 || p.ViewTimeout <= 0 || p.Delta <= 0 || p.RetryInterval <= 0 || p.StatusInterval <= 0:
		return fmt.Errorf("policy: times must be positive")
	}
	return nil
}

// maxWindow bounds Policy.Window.
const maxWindow = 1 << 10

// MaxMembers bounds a committee.
const MaxMembers = 1 << 12

func (c *Config) check() error {
	s := len(c.Members)
	switch {
	case s < 1 || s > MaxMembers:
		return fmt.Errorf("a committee of %d, between 1 and %d members are possible", s, MaxMembers)
	case len(c.Keys) != s || c.Committee == nil || c.Committee.Size() != s:
		return fmt.Errorf("%d members need as many signing and collective keys", s)
	case c.Lead < 0 || c.Lead >= s:
		return fmt.Errorf("seat %d leads a committee of %d", c.Lead, s)
	case c.Seat < -1 || c.Seat >= s:
		return fmt.Errorf("seat %d in a committee of %d", c.Seat, s)
	case c.Seat >= 0 && (c.Key == nil || c.Cosign == nil):
		return fmt.Errorf("seat %d without its secret keys", c.Seat)
	case c.Seat >= 0 && c.Key.Public() != c.Keys[c.Seat]:
		return fmt.Errorf("our signing key is not that of seat %d", c.Seat)
	case c.App == nil:
		return fmt.Errorf("no application")
	}
	seen := make(map[chain.ValidatorID]struct{}, s)
	for _, id := range c.Members {
		if _, ok := seen[id]; ok {
			return fmt.Errorf("validator %d has two seats", id)
		}
		seen[id] = struct{}{}
	}
	return c.Policy.check()
}
