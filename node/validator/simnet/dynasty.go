package simnet

import (
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/node/validator"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// dynasty is the succession of committees: the plans of the epochs, which stand
// for the epoch blocks of an identity chain, and the committees by them.
type dynasty struct {
	plans  []*transepoch.Plan // of epoch 1 and on; only those announced
	boards map[office]*chain.Committee
	at     time.Duration // of the last announcement
}

// office is a committee's time.
type office struct {
	shard chain.ShardID
	term  chain.Term
}

// found makes the plan of the first epoch.
func (n *Net) found(first transepoch.Assignment) error {
	n.boards = map[office]*chain.Committee{}
	p, err := transepoch.Unchanged(n.params.ChainID, epoch, first, chain.Shards{})
	n.plans = []*transepoch.Plan{p}
	return err
}

func (n *Net) newest() *transepoch.Plan { return n.plans[len(n.plans)-1] }

// planOf is the plan of an epoch, nil before it is announced.
func (n *Net) planOf(e uint64) *transepoch.Plan {
	if e < epoch || e >= epoch+uint64(len(n.plans)) {
		return nil
	}
	return n.plans[e-epoch]
}

// Committee implements chain.Committees for who knows everything.
func (n *Net) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	at := office{shard, term}
	if b := n.boards[at]; b != nil {
		return b, nil
	}
	p := n.planOf(term.Epoch)
	if p == nil {
		return nil, chain.Rule(chain.ErrNotReady, "epoch %d is not known yet", term.Epoch)
	}
	seats, err := p.Committee(shard, term.Batch)
	if err != nil {
		return nil, chain.Rule(chain.ErrProof, "%v", err)
	}
	b := &chain.Committee{Shard: shard, Term: term, Members: seats}
	keys := make([]cosi.PublicKey, len(seats))
	for i, id := range seats {
		m := n.members[id]
		b.Signing = append(b.Signing, m.key.Public())
		if keys[i], err = n.scheme.Public(m.secret); err != nil {
			return nil, err
		}
	}
	if b.Cosi, err = n.scheme.NewCommittee(keys); err != nil {
		return nil, err
	}
	n.boards[at] = b
	return b, nil
}

// board is the committee of a term that there is.
func (n *Net) board(shard chain.ShardID, term chain.Term) *chain.Committee {
	b, err := n.Committee(shard, term)
	if err != nil {
		n.fail("the committee of shard %d in term %v: %w", shard, term, err)
		return n.boards[office{shard, chain.Term{Epoch: epoch}}]
	}
	return b
}

// current is the committee of a shard's next block.
func (n *Net) current(shard chain.ShardID) *chain.Committee {
	return n.board(shard, n.judge.chains[shard].term())
}

// seats are the current members of a shard.
func (n *Net) seats(shard chain.ShardID) []chain.ValidatorID { return n.current(shard).Members }

// archive is what one validator knows of it.
type archive struct {
	*Net
	m *member
}

// Committee implements chain.Committees.
func (a archive) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	if term.Epoch > a.m.known {
		return nil, chain.Rule(chain.ErrNotReady, "epoch %d: validator %d knows of %d", term.Epoch, a.m.id, a.m.known)
	}
	return a.Net.Committee(shard, term)
}

// plan is the plan of an epoch that the validator knows.
func (a archive) plan(e uint64) *transepoch.Plan {
	if e > a.m.known {
		return nil
	}
	return a.planOf(e)
}

func (n *Net) signing(id chain.ValidatorID) (key sig.PublicKey, known bool) {
	if int(id) >= len(n.members) {
		return key, false
	}
	return n.members[id].key.Public(), true
}

// epochs announces the next epoch when all shards are through with the last one
// and nothing is open that is older than it: on a real chain epochs are long
// against the time that a transfer takes, and what is older needs state blocks.
func (n *Net) epochs() {
	n.sim.After(100*time.Millisecond, n.epochs)
	if len(n.plans) > n.plan.Epochs || n.sim.Elapsed() < n.at+n.plan.EpochEvery {
		return
	}
	if !n.through() {
		return
	}
	for i := range n.judge.chains {
		f := &n.judge.chains[i]
		for _, o := range f.state.OpenRecords() {
			if n.judge.fateOf(o.Tx).since < n.newest().Epoch {
				return
			}
		}
	}
	p := n.draft()
	if p == nil {
		n.plan.Epochs = len(n.plans) - 1 // none that the hostile could not abuse
		return
	}
	n.plans, n.at = append(n.plans, p), n.sim.Elapsed()

	n.stats.Epochs++
	for _, m := range n.members {
		n.sim.After(n.below(n.plan.Spread+time.Millisecond), func() { n.announce(m, p.Epoch) })
	}
}

// through reports whether all shards are in the last batch of the newest plan.
func (n *Net) through() bool {
	p := n.newest()
	for s := range n.judge.chains {
		if n.judge.chains[s].term() != (chain.Term{Epoch: p.Epoch, Batch: p.Last(chain.ShardID(s))}) {
			return false
		}
	}
	return true
}

// draft is the plan of the next epoch, in which some validators are new and some
// are gone, and no committee has more hostile members than it can bear.
func (n *Net) draft() *transepoch.Plan {
	last := n.newest()
	in := &transepoch.Input{
		ChainID: n.params.ChainID, Epoch: last.Epoch + 1, Old: last.New,
		SwapPermille: n.plan.SwapPermille, BatchSize: n.plan.BatchSize,
	}
	for range 300 {
		in.Members = nil
		seated := 0
		for _, m := range n.members {
			here := slices.ContainsFunc(last.New, func(list []chain.ValidatorID) bool { return slices.Contains(list, m.id) })
			if n.lost(m) || here && !n.chance(0.1) || !here && n.chance(0.5) {
				in.Members = append(in.Members, m.id)
			}
			if here {
				seated++
			}
		}
		for i := range in.Random {
			in.Random[i] = byte(n.intn(256))
		}
		if len(in.Members) < seated { // shards of four must not shrink
			continue
		}
		p, err := transepoch.MakePlan(in)
		if err != nil {
			n.fail("the plan of epoch %d: %w", in.Epoch, err)
			return nil
		}
		if n.bearable(p) {
			return p
		}
	}
	return nil
}

// lost reports whether a validator is the one that never starts.
func (n *Net) lost(m *member) bool { return n.plan.Lost && int(m.id) == len(n.members)-1 }

func (n *Net) bearable(p *transepoch.Plan) bool {
	for s := range p.New {
		for b := range p.Last(chain.ShardID(s)) + 1 {
			seats, err := p.Committee(chain.ShardID(s), b)
			hostile := 0
			for _, id := range seats {
				if n.members[id].hostil != nil {
					hostile++
				}
			}
			if err != nil || hostile > Faults(len(seats)) {
				return false
			}
		}
	}
	return true
}

// announce lets a validator know of an epoch. It joins the shard that it is to
// move to.
func (n *Net) announce(m *member, e uint64) {
	if e <= m.known || n.lost(m) {
		return
	}
	m.known = e // and it is on its disk
	p := n.planOf(e)
	for s := range p.New {
		if slices.Contains(p.New[s], m.id) {
			n.join(m, chain.ShardID(s))
		}
	}
	for _, q := range m.posts {
		n.sim.Do(m.id, to{q.shard, byzcoin.CommitteesChanged{}})
		n.sim.Do(m.id, to{q.shard, known(p)})
	}
}

// join has a validator take part in a shard, from what it still has on its disk.
func (n *Net) join(m *member, s chain.ShardID) {
	switch {
	case m.post(s) != nil:
	case m.leftAt == m.life && len(n.sim.Records(m.id)) < m.leftWith: // what it left is being written
		n.sim.After(10*time.Millisecond, func() { n.join(m, s) })
	default:
		m.posts = append(m.posts, &post{member: m, shard: s})
		n.sim.Do(m.id, enlist{s})
	}
}

// maybeLeave has a validator leave a shard that has no use for it any more.
func (n *Net) maybeLeave(p *post) {
	if n.sim == nil || n.seat(p) >= 0 || !p.core.MayGo() || slices.Contains(n.planOf(p.known).New[p.shard], p.id) {
		return
	}
	p.posts = slices.DeleteFunc(slices.Clone(p.posts), func(q *post) bool { return q == p })
	p.leftAt, p.leftWith = p.life, p.returned
	n.stats.Left++
}

// known is the news of an epoch.
func known(p *transepoch.Plan) validator.EpochKnown {
	return validator.EpochKnown{Plan: p, Block: blockOf(p.Epoch)}
}

// blockOf stands for the hash of an epoch block.
func blockOf(e uint64) chain.Hash { return chain.Hash{0xeb, byte(e)} }

// leadOf is the seat that leads the first view of a term after a block, by
// package byzcoin's rule.
func leadOf(last *chain.Block, b *chain.Committee) int {
	var seats []int
	for i := range last.Refs {
		if seat := b.Seat(last.Refs[i].Author); seat >= 0 && !slices.Contains(seats, seat) {
			seats = append(seats, seat)
		}
	}
	hash := last.Header.Hash()
	lot := uint64(0)
	for _, x := range hash[:8] {
		lot = lot<<8 | uint64(x)
	}
	if len(seats) == 0 {
		return int(lot % uint64(len(b.Members)))
	}
	return seats[lot%uint64(len(seats))]
}

// String names a post.
func (p *post) String() string { return fmt.Sprintf("validator %d of shard %d", p.id, p.shard) }
