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
)

// traitor is a hostile member: an honest machine between filters.
type traitor struct {
	*Net
	m      *member
	cabal  *cabal
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
		seats := n.sim.Random().Perm(len(n.seats[s]))
		if n.plan.Leaders {
			slices.Sort(seats)
		}
		for _, seat := range seats[:count] {
			m := n.members[n.seats[s][seat]]
			t := &traitor{Net: n, m: m, cabal: c, twins: map[chain.Hash]*chain.Body{}}
			for range 1 + n.intn(5) {
				v := Vice(1) << n.intn(len(viceNames))
				if v != Silent || n.chance(0.3) {
					t.vices |= v
				}
			}
			if n.plan.Vices != 0 {
				t.vices = n.plan.Vices
			}
			t.victim = n.seats[s][n.intn(len(n.seats[s]))]
			m.hostil = t
			c.members = append(c.members, m)
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
	e := msg.(*validator.Envelope)
	t.remember(e)
	if t.does(Silent) || t.does(Deaf) && (int(to)+int(t.m.id))%3 == 0 {
		return nil
	}
	if t.does(Late) && t.chance(0.5) {
		t.sim.After(t.below(time.Second), func() { t.sim.Inject(t.m.id, to, msg) })
		return nil
	}
	switch inner := byzcoin.Untag(e.Msg).(type) {
	case *byzcoin.Body:
		if inner.Body.Author == t.m.id {
			return t.body(to, inner.Body)
		}
	case *byzcoin.Proposal:
		return t.proposal(to, inner)
	case *byzcoin.Certified:
		if !t.cabal.shows(inner.Block, to) || t.does(HidesPrepared) && inner.Cert.Phase == chain.Commit && !t.chance(t.cabal.zeal) {
			return nil
		}
	case *byzcoin.Share:
		if t.does(GarbageShares) && t.chance(0.7) {
			inner.Votes.Sig[3] ^= 0x40
			return sim.Pass(to, validator.Agreement(term, inner))
		}
	case *byzcoin.ViewChange:
		if t.does(HidesPrepared) && inner.Change.Seat == uint16(t.m.seat) {
			return sim.Pass(to, validator.Agreement(term, &byzcoin.ViewChange{Change: t.cabal.strip(t.m, inner.Change)}))
		}
	case *byzcoin.NewView:
		if t.does(HidesPrepared) {
			for i := range inner.Changes {
				if int(inner.Changes[i].Seat) == t.m.seat {
					inner.Changes[i] = t.cabal.strip(t.m, inner.Changes[i])
				}
			}
		}
	}
	return sim.Pass(to, msg)
}

// body shows a body of its own.
func (t *traitor) body(to sm.NodeID, b *chain.Body) []sim.Parcel {
	if t.does(LeaderOnly) && to != t.cabal.leader() {
		return nil
	}
	if t.does(TwoBodies) && t.members[to].seat%2 == 0 {
		twin := t.twins[b.Hash]
		if twin == nil {
			twin = t.twin(b)
			t.twins[b.Hash] = twin
		}
		return sim.Pass(to, validator.Agreement(term, &byzcoin.Body{Body: twin}))
	}
	return sim.Pass(to, validator.Agreement(term, &byzcoin.Body{Body: b}))
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
func (t *traitor) proposal(to sm.NodeID, p *byzcoin.Proposal) []sim.Parcel {
	if t.does(TwoProposals) && t.cabal.leaderAt(p.View) == t.m.id {
		if twin := t.cabal.twin(t.m, p); twin != nil && t.cabal.half(to) == 1 {
			p = twin
		}
	}
	return sim.Pass(to, validator.Agreement(term, p))
}

func (t *traitor) in(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
	e, ok := msg.(*validator.Envelope)
	if !ok {
		return nil
	}
	t.remember(e)
	switch inner := byzcoin.Untag(e.Msg).(type) {
	case *byzcoin.Body:
		t.cabal.bodies[inner.Body.Hash] = inner.Body
	case *byzcoin.Proposal:
		t.cabal.saw(inner)
	case *byzcoin.Share:
		t.cabal.share(from, inner)
	case *byzcoin.Acks:
		if t.does(LeavesOut) {
			inner.Refs = t.without(inner.Refs)
			return sim.Pass(0, validator.Agreement(term, inner))
		}
	case *byzcoin.Insist:
		if t.does(LeavesOut) {
			inner.Refs = t.without(inner.Refs)
			return sim.Pass(0, validator.Agreement(term, inner))
		}
	case *byzcoin.ViewChange:
		if t.does(HidesPrepared) && len(inner.Prepared) > 0 && t.cabal.leaderAt(inner.Change.View) == t.m.id && t.chance(0.8) {
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

func (t *traitor) remember(e *validator.Envelope) {
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
	peer := t.seats[t.m.shard][t.intn(len(t.seats[t.m.shard]))]
	if t.does(Replays) && len(t.seen) > 0 {
		t.sim.InjectRaw(t.m.id, anybody, t.seen[t.intn(len(t.seen))])
		t.sim.InjectRaw(t.m.id, peer, t.seen[t.intn(len(t.seen))])
	}
	if t.does(Noise) {
		raw := make([]byte, 1+t.intn(100))
		for i := range raw {
			raw[i] = byte(t.intn(256))
		}
		raw[0] &= 3
		if len(t.seen) > 0 && t.chance(0.7) {
			raw = append(raw[:0], t.seen[t.intn(len(t.seen))]...)
			raw[t.intn(len(raw))] ^= byte(1 << t.intn(8))
		}
		t.sim.InjectRaw(t.m.id, anybody, raw)
	}
	if t.does(AcksAll) {
		ref := chain.BodyRef{Author: peer, Number: uint64(1 + t.intn(20)), Hash: chain.Hash{byte(t.intn(3))}}
		refs := []chain.BodyRef{ref}
		t.sim.Inject(t.m.id, t.cabal.leader(), validator.Agreement(term, &byzcoin.Acks{Refs: refs}))
		t.sim.Inject(t.m.id, peer, validator.Agreement(term, &byzcoin.Insist{Refs: refs}))
	}
	if t.does(Forges) {
		if b, dest := t.cabal.forge(t.m); b != nil {
			e := &validator.Envelope{Protocol: relayProtocol, Msg: &atomix.Letter{From: t.m.shard, To: dest, Msg: &atomix.BundleMsg{Bundle: b}}}
			t.sim.Inject(t.m.id, t.seats[dest][t.intn(len(t.seats[dest]))], e)
		}
	}
	if t.does(BadBodies) && t.m.ready {
		t.badBody()
	}
}

// badBody authors a body that no honest member would.
func (t *traitor) badBody() {
	var txs, bundles [][]byte
	switch t.intn(4) {
	case 0: // what is no payload
		t.sim.Do(t.m.id, byzcoin.Author{Payload: []byte("no payload"), Tag: &chain.Payload{}})
		return
	case 1: // a proof that another shard's traitors made up
		c := t.cabals[(int(t.m.shard)+1)%len(t.cabals)]
		if len(c.members) == 0 {
			return
		}
		b, dest := c.forge(c.members[0])
		if b == nil || dest != t.m.shard {
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
			if in := t.params.InputShards(tx); in.Has(t.m.shard) && t.chance(0.5) {
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
	t.sim.Do(t.m.id, byzcoin.Author{Payload: raw, Content: pl, Tag: &chain.Payload{}})
}
