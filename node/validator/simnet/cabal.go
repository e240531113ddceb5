package simnet

import (
	"encoding/binary"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// cabal is the traitors of a shard together: what one hears all know, and each
// signs what the others want.
type cabal struct {
	*Net
	shard   chain.ShardID
	view    uint64     // the highest that anybody installed
	viewOf  chain.Term // in the term
	zeal    float64    // with which they show what they put together
	bodies  map[chain.Hash]*chain.Body
	blocks  map[chain.Hash]*byzcoin.Proposal
	ballots map[ballot]*cosi.Collector
	twins   map[chain.Hash]*byzcoin.Proposal // by the block that they contradict
	sides   map[chain.Hash]int               // the half that sees a block and not its twin
}

// ballot is a vote on a block.
type ballot struct {
	view  uint64
	phase chain.Phase
	block chain.Hash
}

func (c *cabal) init() {
	c.zeal = []float64{0.15, 0.8}[c.intn(2)]
	c.bodies, c.blocks = map[chain.Hash]*chain.Body{}, map[chain.Hash]*byzcoin.Proposal{}
	c.ballots, c.twins, c.sides = map[ballot]*cosi.Collector{}, map[chain.Hash]*byzcoin.Proposal{}, map[chain.Hash]int{}
}

func (c *cabal) leader() chain.ValidatorID { return c.leaderAt(c.view) }

func (c *cabal) leaderAt(view uint64) chain.ValidatorID {
	return c.Net.leaderAt(c.current(c.shard), view)
}

// leaderAt is who leads a view of a committee.
func (n *Net) leaderAt(b *chain.Committee, view uint64) chain.ValidatorID {
	s := uint64(len(b.Members))
	return b.Members[(view%s+uint64(n.judge.chains[b.Shard].leads[b.Term]))%s]
}

func (c *cabal) term() chain.Term { return c.judge.chains[c.shard].term() }

// hostile are its members in a committee.
func (c *cabal) hostile(term chain.Term) (list []*member) {
	for _, id := range c.board(c.shard, term).Members {
		if m := c.members[id]; m.hostil != nil {
			list = append(list, m)
		}
	}
	return list
}

// place is the seat of a validator, or its number if it has none.
func (c *cabal) place(id chain.ValidatorID) int {
	if seat := c.current(c.shard).Seat(id); seat >= 0 {
		return seat
	}
	return int(id)
}

// saw notes a view.
func (c *cabal) saw(term chain.Term, view uint64) {
	switch term.Compare(c.viewOf) {
	case 1:
		c.viewOf, c.view = term, view
	case 0:
		c.view = max(c.view, view)
	}
}

// knows notes a proposal.
func (c *cabal) knows(p *byzcoin.Proposal) {
	if len(c.blocks) > 64 {
		clear(c.blocks)
		clear(c.ballots)
		clear(c.twins)
		clear(c.sides)
	}
	c.blocks[p.Header.Hash()] = p
}

// twin is another valid block in place of p: the last body is left out, or two
// authors change places. It is nil when there is none.
func (c *cabal) twin(m *member, p *byzcoin.Proposal) *byzcoin.Proposal {
	hash := p.Header.Hash()
	if t, ok := c.twins[hash]; ok {
		return t
	}
	c.knows(p)
	t := c.makeTwin(m, p)
	c.twins[hash] = t
	if t != nil {
		c.stats.Twins++
		c.sides[hash], c.sides[t.Header.Hash()] = 0, 1
		c.knows(t)
	}
	return t
}

func (c *cabal) makeTwin(m *member, p *byzcoin.Proposal) *byzcoin.Proposal {
	state := c.judge.chains[c.shard].state
	if len(p.Refs) < 2 || state.Height()+1 != p.Header.Height {
		return nil
	}
	refs := slices.Clone(p.Refs)
	last := len(refs) - 1
	if refs[last].Author != refs[last-1].Author {
		refs[last], refs[last-1] = refs[last-1], refs[last]
	} else {
		refs = refs[:last]
	}
	bodies := make([]*chain.Body, len(refs))
	for i, r := range refs {
		b := c.bodies[r.Hash]
		if b == nil {
			if q := m.post(c.shard); q != nil {
				if raw := c.logOf(q).bodies[bodyAt{p.Header.Term(), r}]; raw != nil {
					b, _ = chain.DecodeBody(raw)
				}
			}
		}
		if b == nil {
			return nil
		}
		bodies[i] = &chain.Body{Payload: b.Payload}
	}
	h := p.Header
	h.Bodies, h.Outcomes = chain.RefsHash(refs), chain.Hash{}
	h.Outcomes = state.Execute(&h, bodies)
	state.Revert()
	t := &byzcoin.Proposal{View: p.View, Header: h, Refs: refs}
	hash := h.Hash()
	t.Signature = m.key.Sign(append([]byte("ios/byzcoin/proposal/v1"), chain.VoteBytes(&h, hash, p.View, 0)...))
	return t
}

// share adds a share that reached one of them, with all of their own, and spreads
// the certificate when that is a quorum.
func (c *cabal) share(from chain.ValidatorID, s *byzcoin.Share) {
	p := c.blocks[s.Block]
	if p == nil || p.Header.Shard != c.shard {
		return
	}
	b := c.board(c.shard, p.Header.Term())
	seat, members := b.Seat(from), c.hostile(b.Term)
	if seat < 0 || len(members) == 0 {
		return
	}
	h := &p.Header
	key := ballot{s.View, s.Phase, s.Block}
	box := c.ballots[key]
	if box == nil {
		msg := chain.VoteBytes(h, s.Block, s.View, s.Phase)
		box = cosi.NewCollector(b.Cosi, msg)
		c.ballots[key] = box
		for _, m := range members {
			if sig, err := c.scheme.Sign(m.secret, msg); err == nil {
				_ = box.AddShare(b.Seat(m.id), sig)
			}
		}
	}
	_ = box.Add(seat, s.Votes)
	cert, _, err := box.Certificate()
	if err != nil {
		return
	}
	known := &byzcoin.Certified{Height: h.Height, Block: s.Block, Cert: chain.Certificate{View: s.View, Phase: s.Phase, Certificate: cert}}
	c.stats.Plots++
	for _, to := range b.Members {
		if c.shows(s.Block, to) && c.chance(c.zeal) {
			c.sim.Inject(members[0].id, to, &mail{c.shard, validator.Agreement(b.Term, known)})
		}
	}
}

// shows reports whether a member may know of a block: each half of the committee
// sees one of two.
func (c *cabal) shows(block chain.Hash, to chain.ValidatorID) bool {
	side, split := c.sides[block]
	return !split || c.half(to) == side
}

// half is the half of the committee that a member is in. After a restart it is
// shown the other block: perhaps it has forgotten the first.
func (c *cabal) half(id chain.ValidatorID) int {
	return (c.place(id) + c.members[id].life) % 2
}

// strip is a member's wish for a view that hides what it has prepared.
func (c *cabal) strip(m *member, term chain.Term, change byzcoin.SignedChange) byzcoin.SignedChange {
	change.Prepared = nil
	if c.chance(0.3) {
		change.Final = nil
	}
	raw := (&byzcoin.ViewChange{Change: change}).AppendTo(nil)
	signed := raw[1 : len(raw)-64-4] // between the kind, and signature and an empty list
	msg := append([]byte("ios/byzcoin/view-change/v1"), c.params.ChainID[:]...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(c.shard))
	msg = binary.BigEndian.AppendUint64(msg, term.Epoch)
	msg = binary.BigEndian.AppendUint32(msg, term.Batch)
	change.Signature = m.key.Sign(append(msg, signed...))
	return change
}

// forge makes up a proof for another shard that this one accepted a payment to
// nobody in particular: under a certificate of the traitors alone, or under one
// of a final block that shows something else.
func (c *cabal) forge(m *post) (*chain.Bundle, chain.ShardID) {
	dest := chain.ShardID((int(c.shard) + 1) % len(c.plan.Sizes))
	f := &c.judge.chains[c.shard]
	b, term := c.current(c.shard), c.term()
	h := chain.Header{Chain: c.params.ChainID, Shard: c.shard, Epoch: term.Epoch, Batch: term.Batch, Height: uint64(len(f.hashes) + 1), Parent: c.params.ChainID}
	owner := c.wallets[c.shard][c.intn(walletsPerShard)]
	thief := c.wallets[dest][c.intn(walletsPerShard)]
	op := chain.OutPoint{Tx: chain.Hash{byte(c.intn(256)), byte(c.intn(256))}}
	t := &chain.Tx{
		Expiry: c.expiry(), Inputs: []chain.Input{{OutPoint: op, Owner: owner.addr, Amount: 1000}},
		Outputs: []chain.Output{{Owner: thief.addr, Amount: 999}},
	}
	if c.chance(0.5) { // a real payment of somebody's, that this shard has not accepted
		if tx, _ := c.payment(true); tx != nil {
			if in := c.params.Involved(tx); in.Has(c.shard) && in.Has(dest) {
				t = tx
			}
		}
	}
	if t.ID.IsZero() {
		c.sign(t, []coin{{op, owner, 1000}})
	}
	o := chain.Accepted
	if c.chance(0.3) {
		o = chain.Outcome(1 + c.intn(4))
	}
	tree := chain.OutcomeTree{{Dest: dest, Entries: []chain.Entry{{ID: t.ID, Outcome: o}}}}
	h.Outcomes = tree.Root()
	hash := h.Hash()
	mask := cosi.NewMask(len(b.Members))
	box := cosi.NewCollector(b.Cosi, chain.VoteBytes(&h, hash, 0, chain.Commit))
	for _, o := range c.hostile(term) {
		if sig, err := c.scheme.Sign(o.secret, chain.VoteBytes(&h, hash, 0, chain.Commit)); err == nil {
			_ = box.AddShare(b.Seat(o.id), sig)
			mask.Set(b.Seat(o.id))
		}
	}
	sum, err := box.Aggregate()
	if err != nil {
		return nil, 0
	}
	for seat := range len(b.Members) {
		if mask.Count() < b.Cosi.Quorum() || c.chance(0.2) {
			mask.Set(seat) // who did not sign
		}
	}
	cert := chain.Certificate{Phase: chain.Commit, Certificate: cosi.Certificate{Mask: mask, Sig: sum.Sig}}
	block := &chain.Block{Header: h, Cert: cert}
	if old, _ := c.logOf(m).block(uint64(1 + c.intn(len(f.hashes)+1))); old != nil && c.chance(0.5) {
		block.Header, block.Cert = old.Header, old.Cert
	}
	return tree.Bundle(block, 0, []chain.Tx{*t}), dest
}
