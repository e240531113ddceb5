package simnet

import (
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/node/validator"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// traitor is a hostile member: an honest machine between filters.
type traitor struct {
	*Net
	m      *member
	vices  Vice
	victim chain.ValidatorID
	seen   [][]byte // encoded messages
	twins  map[chain.Hash]*chain.Body
}

func (t *traitor) does(v Vice) bool { return t.vices&v != 0 }

// corrupt makes the plan's number of members hostile, in ways of their own.
func (n *Net) corrupt() {
	for s, count := range n.plan.Traitors {
		c := &cabal{Net: n, shard: chain.ShardID(s)}
		c.init()
		n.cabals = append(n.cabals, c)
		seats := n.sim.Random().Perm(len(n.seats(chain.ShardID(s))))
		if n.plan.Leaders {
			slices.Sort(seats)
		}
		for _, seat := range seats[:count] {
			m := n.members[n.seats(chain.ShardID(s))[seat]]
			t := &traitor{Net: n, m: m, twins: map[chain.Hash]*chain.Body{}}
			for range 1 + n.intn(5) {
				v := Vice(1) << n.intn(len(viceNames))
				if v != Silent || n.chance(0.3) {
					t.vices |= v
				}
			}
			if n.plan.Vices != 0 {
				t.vices = n.plan.Vices
			}
			t.victim = n.seats(chain.ShardID(s))[n.intn(len(n.seats(chain.ShardID(s))))]
			m.hostil = t
			n.sim.FilterOut(m.id, t.out)
			n.sim.FilterIn(m.id, t.in)
			n.sim.After(n.below(time.Second), t.act)
		}
	}
	for _, m := range n.members {
		if m.hostil == nil {
			n.sim.FilterOut(m.id, n.listen(m))
		}
	}
}

func (t *traitor) out(now time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
	l := msg.(*mail)
	t.remember(l)
	if t.does(Silent) || t.does(Deaf) && (int(to)+int(t.m.id))%3 == 0 {
		return nil
	}
	if t.does(Late) && t.chance(0.5) {
		t.sim.After(t.below(time.Second), func() { t.sim.Inject(t.m.id, to, msg) })
		return nil
	}
	tagged, ok := l.Msg.(*byzcoin.Tagged)
	if !ok {
		return sim.Pass(to, msg)
	}
	c, term := t.cabals[l.Shard], tagged.Term
	pass := func(inner sm.Message) []sim.Parcel {
		return sim.Pass(to, &mail{l.Shard, validator.Agreement(term, inner)})
	}
	seat := uint16(t.board(l.Shard, term).Seat(t.m.id))
	switch inner := tagged.Msg.(type) {
	case *byzcoin.Body:
		if inner.Body.Author == t.m.id {
			return t.body(c, to, inner.Body, pass)
		}
	case *byzcoin.Proposal:
		return t.proposal(c, to, inner, pass)
	case *byzcoin.Certified:
		if !c.shows(inner.Block, to) || t.does(HidesPrepared) && inner.Cert.Phase == chain.Commit && !t.chance(c.zeal) {
			return nil
		}
	case *byzcoin.Share:
		if t.does(GarbageShares) && t.chance(0.7) {
			inner.Votes.Sig[3] ^= 0x40
			return pass(inner)
		}
	case *byzcoin.ViewChange:
		if t.does(HidesPrepared) && inner.Change.Seat == seat {
			return pass(&byzcoin.ViewChange{Change: c.strip(t.m, term, inner.Change)})
		}
	case *byzcoin.NewView:
		if t.does(HidesPrepared) {
			for i := range inner.Changes {
				if inner.Changes[i].Seat == seat {
					inner.Changes[i] = c.strip(t.m, term, inner.Changes[i])
				}
			}
		}
	}
	return sim.Pass(to, msg)
}

// body shows a body of its own.
func (t *traitor) body(c *cabal, to sm.NodeID, b *chain.Body, pass func(sm.Message) []sim.Parcel) []sim.Parcel {
	if t.does(LeaderOnly) && to != c.leader() {
		return nil
	}
	if t.does(TwoBodies) && c.place(to)%2 == 0 {
		twin := t.twins[b.Hash]
		if twin == nil {
			twin = t.twin(b)
			t.twins[b.Hash] = twin
		}
		return pass(&byzcoin.Body{Body: twin})
	}
	return pass(&byzcoin.Body{Body: b})
}

// twin is another body under the same number.
func (t *traitor) twin(b *chain.Body) *chain.Body {
	payload := chain.PayloadOf(nil, nil)
	if pl, err := t.params.DecodePayload(b.Payload); err == nil && len(pl.Txs) > 1 {
		payload = chain.PayloadOf([][]byte{pl.Txs[len(pl.Txs)-1].Raw}, nil)
	}
	o := &chain.Body{Chain: b.Chain, Shard: b.Shard, Epoch: b.Epoch, Batch: b.Batch, Author: b.Author, Number: b.Number, Payload: payload}
	o.SignBody(t.m.key)
	return o
}

// proposal shows the members with an odd seat another block.
func (t *traitor) proposal(c *cabal, to sm.NodeID, p *byzcoin.Proposal, pass func(sm.Message) []sim.Parcel) []sim.Parcel {
	if t.does(TwoProposals) && t.leaderAt(t.board(c.shard, p.Header.Term()), p.View) == t.m.id {
		if twin := c.twin(t.m, p); twin != nil && c.half(to) == 1 {
			p = twin
		}
	}
	return pass(p)
}

func (t *traitor) in(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
	l, ok := msg.(*mail)
	if !ok || int(l.Shard) >= len(t.cabals) {
		return nil
	}
	t.remember(l)
	tagged, ok := l.Msg.(*byzcoin.Tagged)
	if !ok {
		return sim.Pass(0, msg)
	}
	c := t.cabals[l.Shard]
	pass := func(inner sm.Message) []sim.Parcel {
		return sim.Pass(0, &mail{l.Shard, validator.Agreement(tagged.Term, inner)})
	}
	switch inner := tagged.Msg.(type) {
	case *byzcoin.Body:
		c.bodies[inner.Body.Hash] = inner.Body
	case *byzcoin.Proposal:
		c.knows(inner)
	case *byzcoin.Share:
		c.share(from, inner)
	case *byzcoin.Acks:
		if t.does(LeavesOut) {
			inner.Refs = t.without(inner.Refs)
			return pass(inner)
		}
	case *byzcoin.Insist:
		if t.does(LeavesOut) {
			inner.Refs = t.without(inner.Refs)
			return pass(inner)
		}
	case *byzcoin.ViewChange:
		if t.does(HidesPrepared) && len(inner.Prepared) > 0 && c.leaderAt(inner.Change.View) == t.m.id && t.chance(0.8) {
			return nil
		}
	}
	return sim.Pass(0, msg)
}

func (t *traitor) without(refs []chain.BodyRef) (kept []chain.BodyRef) {
	for _, r := range refs {
		if r.Author != t.victim {
			kept = append(kept, r)
		}
	}
	return kept
}

// relayProtocol is what an Envelope of the relay begins with. If it were not,
// nobody would ever be blamed for a forged proof.
const relayProtocol = 2

// maxSeen bounds what a traitor remembers.
const maxSeen = 24

func (t *traitor) remember(e *mail) {
	if !t.does(Replays) && !t.does(Noise) {
		return
	}
	raw := e.AppendTo(nil)
	if len(t.seen) < maxSeen {
		t.seen = append(t.seen, raw)
	} else if t.chance(0.1) {
		t.seen[t.intn(maxSeen)] = raw
	}
}

// act does what needs no occasion, again and again.
func (t *traitor) act() {
	t.sim.After(100*time.Millisecond+t.below(900*time.Millisecond), t.act)
	if !t.sim.Up(t.m.id) {
		return
	}
	anybody := t.members[t.intn(len(t.members))].id
	if len(t.m.posts) == 0 {
		return
	}
	p := t.m.posts[t.intn(len(t.m.posts))]
	c := t.cabals[p.shard]
	list := t.seats(p.shard)
	peer := list[t.intn(len(list))]
	if t.does(Replays) && len(t.seen) > 0 {
		t.sim.InjectRaw(t.m.id, anybody, t.seen[t.intn(len(t.seen))])
		t.sim.InjectRaw(t.m.id, peer, t.seen[t.intn(len(t.seen))])
	}
	if t.does(Noise) {
		raw := make([]byte, 2+t.intn(100))
		for i := range raw {
			raw[i] = byte(t.intn(256))
		}
		raw[0], raw[1], raw[2%len(raw)] = 0, raw[1%len(raw)]&3, raw[2%len(raw)]&3
		if len(t.seen) > 0 && t.chance(0.7) {
			raw = append(raw[:0], t.seen[t.intn(len(t.seen))]...)
			raw[t.intn(len(raw))] ^= byte(1 << t.intn(8))
		}
		t.sim.InjectRaw(t.m.id, anybody, raw)
	}
	if t.does(AcksAll) {
		ref := chain.BodyRef{Author: peer, Number: uint64(1 + t.intn(20)), Hash: chain.Hash{byte(t.intn(3))}}
		refs := []chain.BodyRef{ref}
		term := c.term()
		t.sim.Inject(t.m.id, c.leader(), &mail{p.shard, validator.Agreement(term, &byzcoin.Acks{Refs: refs})})
		t.sim.Inject(t.m.id, peer, &mail{p.shard, validator.Agreement(term, &byzcoin.Insist{Refs: refs})})
	}
	if t.does(Complains) {
		for _, id := range list {
			t.sim.Inject(t.m.id, id, &mail{p.shard, validator.Agreement(c.term(), &byzcoin.Complaint{View: c.view + uint64(t.intn(3)), Height: 1 << 40})})
		}
	}
	if t.does(Forges) {
		if b, dest := c.forge(p); b != nil {
			e := &validator.Envelope{Protocol: relayProtocol, Msg: &atomix.Letter{From: p.shard, To: dest, Msg: &atomix.BundleMsg{Bundle: b}}}
			there := t.seats(dest)
			t.sim.Inject(t.m.id, there[t.intn(len(there))], &mail{dest, e})
		}
	}
	if t.does(BadBodies) && p.ready {
		t.badBody(p)
	}
}

// badBody authors a body that no honest member would.
func (t *traitor) badBody(p *post) {
	var txs, bundles [][]byte
	switch t.intn(5) {
	case 4: // a turn that there is not
		t.badTurn(p)
		return
	case 0: // what is no payload
		t.sim.Do(t.m.id, to{p.shard, byzcoin.Author{Payload: []byte("no payload"), Tag: &chain.Payload{}}})
		return
	case 1: // a proof that another shard's traitors made up
		c := t.cabals[(int(p.shard)+1)%len(t.cabals)]
		others := c.hostile(c.term())
		if len(others) == 0 {
			return
		}
		b, dest := c.forge(others[0].post(c.shard))
		if b == nil || dest != p.shard {
			return
		}
		bundles = append(bundles, b.Encode())
	case 2: // a transaction that nobody signed
		tx, _ := t.payment(true)
		if tx == nil {
			return
		}
		tx.Witnesses[0].Signature[5] ^= 1
		t.params.Seal(tx)
		txs = append(txs, tx.Raw)
	case 3: // others' payments, again and in another order
		for i := len(t.judge.order) - 1; i >= 0 && len(txs) < 5; i-- {
			tx := t.judge.order[i].tx
			if in := t.params.InputShards(tx); in.Has(p.shard) && t.chance(0.5) {
				txs = append(txs, tx.Raw)
			}
		}
	}
	raw := chain.PayloadOf(txs, bundles)
	pl, err := t.params.DecodePayload(raw)
	if err != nil {
		t.fail("a traitor's payload: %w", err)
		return
	}
	t.sim.Do(t.m.id, to{p.shard, byzcoin.Author{Payload: raw, Content: pl, Tag: &chain.Payload{}}})
}

// badTurn authors an entry into an epoch that is none, or a batch before its time
// with nobody ready, or with somebody who has not said so.
func (t *traitor) badTurn(p *post) {
	at := p.core.Transition()
	var turn []byte
	switch t.intn(3) {
	case 0:
		e := transepoch.Enter{Epoch: at.Epoch + 1 + uint64(t.intn(2)), EpochBlock: chain.Hash{0xeb, byte(t.intn(256))}}
		turn = e.AppendTo(nil)
	case 1:
		turn = (&transepoch.SwapRecord{Epoch: at.Epoch, Batch: at.Batch + 1}).AppendTo(nil)
	case 2:
		rec := &transepoch.SwapRecord{Epoch: at.Epoch, Batch: at.Batch + 1}
		if plan := t.planOf(at.Epoch); plan != nil {
			for _, w := range plan.Batch(p.shard, rec.Batch) {
				if w.In != transepoch.None {
					rec.Present = append(rec.Present, transepoch.Presence{Validator: w.In, Height: p.core.Point().Height, StateRoot: p.core.Point().Hash})
				}
			}
		}
		slices.SortFunc(rec.Present, func(a, b transepoch.Presence) int { return int(a.Validator) - int(b.Validator) })
		turn = rec.AppendTo(nil)
	}
	t.stats.BadTurns++
	t.sim.Do(t.m.id, to{p.shard, byzcoin.Author{Payload: chain.TurnPayloadOf(turn, nil, nil), Content: &chain.Payload{Turn: turn}, Tag: &chain.Payload{}}})
}
