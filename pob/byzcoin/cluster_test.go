package byzcoin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/internal/sim"
	"ios/internal/sm"
)

// ledger is an application whose state is the hash over all that it executed.
type ledger struct {
	state, open chain.Hash
	opened      bool
	broken      error
	// lies makes it compute a wrong root.
	lies bool
	// next is the term of the next block, the cluster's if it is unset.
	next chain.Term
}

func (l *ledger) Next() chain.Term {
	if l.next == (chain.Term{}) {
		return chain.Term{Epoch: 7, Batch: 1}
	}
	return l.next
}

func (l *ledger) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	if l.opened {
		l.broken = errors.New("two executions are open")
	}
	if !h.Outcomes.IsZero() {
		l.broken = errors.New("Execute sees outcomes")
	}
	d := sha256.New()
	d.Write(l.state[:])
	for _, b := range bodies {
		d.Write(b.Payload)
	}
	d.Sum(l.open[:0])
	l.opened = true
	if l.lies {
		l.open[0] ^= 1
	}
	return l.open
}

func (l *ledger) Revert() {
	if !l.opened {
		l.broken = errors.New("nothing to revert")
	}
	l.opened = false
}

func (l *ledger) Finalize(b *chain.Block) {
	if !l.opened || b.Header.Outcomes != l.open {
		l.broken = fmt.Errorf("block %d is made final and another is open", b.Header.Height)
	}
	l.opened, l.state = false, l.open
}

// cluster is a committee in the simulator, with everything that must hold.
type cluster struct {
	t      testing.TB
	net    *sim.Network
	ids    []sm.NodeID
	cfg    Config // without what is a member's own
	keys   []*sig.Key
	sign   []func([]byte) (cosi.Signature, error)
	apps   map[sm.NodeID]*ledger
	shirks map[sm.NodeID]bool // Byzantine: nothing is expected of them

	blocks  map[uint64]*chain.Block
	first   map[uint64]time.Duration // when a block was first final
	bodies  map[chain.Hash]*chain.Body
	numbers map[chain.ValidatorID]uint64
	top     uint64
	held    map[chain.BodyRef]bool
	views   map[sm.NodeID]uint64
	faults  []Misbehaviour
	status  map[sm.NodeID]Status
	authored,
	refused int
	chaotic bool // the network may be at fault
}

type options struct {
	seed   uint64
	faults sim.Faults
	scheme cosi.Scheme
	policy Policy
	app    func(sm.NodeID) *ledger
	quorum int // for attacks on the rule itself
	shirks []int
	cfg    func(*Config)
}

func newCluster(t testing.TB, size int, o options) *cluster {
	t.Helper()
	if o.scheme == nil {
		o.scheme = cositest.New("byzcoin")
	}
	if o.faults == (sim.Faults{}) {
		o.faults = sim.Faults{MinDelay: time.Millisecond, MaxDelay: 3 * time.Millisecond, MaxSync: 2 * time.Millisecond}
	}
	c := &cluster{
		t: t, apps: map[sm.NodeID]*ledger{}, shirks: map[sm.NodeID]bool{},
		blocks: map[uint64]*chain.Block{}, first: map[uint64]time.Duration{}, bodies: map[chain.Hash]*chain.Body{},
		numbers: map[chain.ValidatorID]uint64{}, held: map[chain.BodyRef]bool{}, views: map[sm.NodeID]uint64{}, status: map[sm.NodeID]Status{},
	}
	c.cfg = Config{ChainID: chain.Hash{1, 2, 3}, Shard: 2, Epoch: 7, Batch: 1, Policy: o.policy, Seat: -1}
	var keys []cosi.PublicKey
	for i := range size {
		seed := sha256.Sum256(fmt.Appendf(nil, "member %d", i))
		key, err := sig.FromSeed(seed[:])
		must(t, err)
		secret, err := cosi.SecretFromSeed(seed[:])
		must(t, err)
		pub, err := o.scheme.Public(secret)
		must(t, err)
		id := sm.NodeID(3*i + 5)
		c.ids = append(c.ids, id)
		c.keys = append(c.keys, key)
		c.sign = append(c.sign, func(msg []byte) (cosi.Signature, error) { return o.scheme.Sign(secret, msg) })
		c.cfg.Members = append(c.cfg.Members, id)
		c.cfg.Keys = append(c.cfg.Keys, key.Public())
		keys = append(keys, pub)
	}
	var err error
	c.cfg.Committee, err = o.scheme.NewCommittee(keys)
	must(t, err)
	if o.cfg != nil {
		o.cfg(&c.cfg)
	}
	for _, seat := range o.shirks {
		c.shirks[c.ids[seat]] = true
	}
	c.net = sim.New(sim.Config{
		Seed: o.seed, Nodes: c.ids, Faults: o.faults, Decode: Decode,
		Factory: func(id sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
			app := &ledger{}
			if o.app != nil {
				app = o.app(id)
			}
			c.apps[id] = app
			cfg := c.config(id)
			cfg.App = app
			m, err := Restore(cfg, nil, slices.Values(records))
			if err != nil {
				c.t.Fatalf("seed %d: node %d does not restart: %v", o.seed, id, err)
			}
			if !c.shirks[id] {
				c.recorded(id, records)
			}
			if o.quorum != 0 {
				m.q = o.quorum
			}
			return m, m.Step(now, Start{})
		},
		Answer: c.answer, Delivered: c.delivered,
		Check: func() error {
			for _, id := range c.ids {
				if app := c.apps[id]; app.broken != nil {
					return fmt.Errorf("node %d: %w", id, app.broken)
				}
			}
			return nil
		},
	})
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) seat(id sm.NodeID) int { return slices.Index(c.cfg.Members, id) }

func (c *cluster) config(id sm.NodeID) Config {
	cfg := c.cfg
	cfg.Seat = c.seat(id)
	cfg.Key, cfg.Cosign = c.keys[cfg.Seat], c.sign[cfg.Seat]
	return cfg
}

func (c *cluster) machine(seat int) *Machine {
	if m := c.net.Machine(c.ids[seat]); m != nil {
		return m.(*Machine)
	}
	return nil
}

// answer is the runner's part.
func (c *cluster) answer(id sm.NodeID, e sm.Effect) (time.Duration, sm.Event) {
	switch e := e.(type) {
	case Check:
		var err error
		if bytes.HasPrefix(e.Body.Payload, []byte("bad")) {
			err = errors.New("a bad payload")
		}
		return time.Duration(c.net.Random().IntN(3)) * time.Millisecond, Checked{Hash: e.Body.Hash, Content: "checked", Err: err}
	case Serve:
		reply, err := serve(c.net.Records(id), e)
		if err != nil {
			c.net.Fail(err)
		} else if reply != nil {
			c.net.Inject(id, e.To, reply)
		}
	case ReadBody:
		for _, p := range c.net.Records(id) {
			if p.Kind == RecordBody || p.Kind == RecordPulled {
				if b, err := chain.DecodeBody(p.Data); err == nil && b.Ref() == e.Ref {
					c.net.Inject(id, e.To, &Body{b})
					break
				}
			}
		}
	default:
		c.net.Fail(fmt.Errorf("node %d: unexpected effect %T", id, e))
	}
	return 0, nil
}

// serve reads blocks from the records of a log.
func serve(records []sm.Persist, e Serve) (*SyncReply, error) {
	stored := map[chain.Hash][]byte{}
	var blocks [][]byte
	var bodies [][][]byte
	size := 0
	for _, p := range records {
		switch p.Kind {
		case RecordBody, RecordPulled:
			b, err := chain.DecodeBody(p.Data)
			if err != nil {
				return nil, err
			}
			stored[b.Hash] = p.Data
		case RecordFinal:
			b, err := chain.DecodeBlock(p.Data)
			if err != nil {
				return nil, err
			}
			if h := b.Header.Height; h < e.From || h >= e.From+uint64(e.Count) || len(blocks) > 0 && size > e.MaxBytes {
				continue
			}
			var list [][]byte
			for _, ref := range b.Refs {
				if stored[ref.Hash] == nil {
					return nil, fmt.Errorf("body %d of %d is final and not in the log", ref.Number, ref.Author)
				}
				list = append(list, stored[ref.Hash])
				size += len(stored[ref.Hash])
			}
			blocks, bodies = append(blocks, p.Data), append(bodies, list)
		}
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	return NewSyncReply(blocks, bodies)
}

// delivered checks what must always hold.
func (c *cluster) delivered(id sm.NodeID, v any) {
	switch v := v.(type) {
	case Authored:
		if v.Err != nil {
			c.refused++
		} else {
			c.authored++
		}
	case Held:
		if !c.shirks[id] {
			c.held[chain.BodyRef{Author: id, Number: v.Number, Hash: v.Hash}] = true
		}
	case Final:
		if !c.shirks[id] {
			c.final(id, v)
		}
	case ViewChanged:
		if c.views[id] >= v.View && v.View > 0 && c.net.Up(id) && c.machine(c.seat(id)).view < v.View {
			c.net.Fail(fmt.Errorf("node %d goes from view %d to %d", id, c.views[id], v.View))
		}
		c.views[id] = v.View
	case Misbehaviour:
		c.faults = append(c.faults, v)
		if !c.shirks[v.Who] && !c.shirks[id] && !(v.What == FaultLeftOut && c.chaotic) {
			c.net.Fail(fmt.Errorf("node %d accuses honest %d: %s: %s", id, v.Who, v.What, v.Cause))
		}
	case Status:
		c.status[id] = v
		if v.Phase == Halted && !c.shirks[id] && !c.apps[id].lies {
			c.net.Fail(fmt.Errorf("node %d halted: %s", id, v.Reason))
		}
	}
}

// recorded are blocks that became final just before a crash, when nothing was
// delivered any more.
func (c *cluster) recorded(id sm.NodeID, records []sm.Persist) {
	stored := map[chain.Hash]*chain.Body{}
	for _, p := range records {
		switch p.Kind {
		case RecordBody, RecordPulled:
			b, err := chain.DecodeBody(p.Data)
			must(c.t, err)
			stored[b.Hash] = b
		case RecordFinal:
			b, err := chain.DecodeBlock(p.Data)
			must(c.t, err)
			var bodies []*chain.Body
			for _, ref := range b.Refs {
				bodies = append(bodies, stored[ref.Hash])
			}
			c.final(id, Final{Block: b, Bodies: bodies})
		}
	}
}

func (c *cluster) final(id sm.NodeID, v Final) {
	h := v.Block.Header.Height
	if known := c.blocks[h]; known != nil {
		if known.Header.Hash() != v.Block.Header.Hash() {
			c.net.Fail(fmt.Errorf("fork at height %d: node %d has another block than others", h, id))
		}
		return
	}
	hash := v.Block.Header.Hash()
	if err := v.Block.Cert.Verify(c.cfg.Committee, &v.Block.Header, hash); err != nil {
		c.net.Fail(err)
	}
	if h != c.top+1 {
		c.net.Fail(fmt.Errorf("block %d is final before block %d", h, c.top+1))
	}
	c.top = h
	c.blocks[h], c.first[h] = v.Block, c.net.Elapsed()
	for i, ref := range v.Block.Refs {
		if ref.Number != c.numbers[ref.Author]+1 {
			c.net.Fail(fmt.Errorf("body %d of %d follows body %d", ref.Number, ref.Author, c.numbers[ref.Author]))
		}
		c.numbers[ref.Author] = ref.Number
		if v.Bodies[i].Ref() != ref {
			c.net.Fail(fmt.Errorf("block %d is delivered with other bodies", h))
		}
		c.bodies[ref.Hash] = v.Bodies[i]
	}
}

// author puts up a body of a member.
func (c *cluster) author(seat int, payload string) {
	c.net.Do(c.ids[seat], Author{Payload: []byte(payload)})
}

// load has the members author bodies at random times.
func (c *cluster) load(seats []int, count int, over time.Duration) {
	for i := range count {
		seat := seats[i%len(seats)]
		c.net.After(time.Duration(c.net.Random().Int64N(int64(over))), func() {
			c.author(seat, fmt.Sprintf("payload %d of seat %d", i, seat))
		})
	}
}

func (c *cluster) seatsFrom(first int) []int {
	var seats []int
	for i := first; i < len(c.ids); i++ {
		seats = append(seats, i)
	}
	return seats
}

// settled reports whether the honest members agree on everything and nothing is
// open: all that was held is final.
func (c *cluster) settled() bool {
	for seat, id := range c.ids {
		if c.shirks[id] {
			continue
		}
		m := c.machine(seat)
		if m == nil || m.height != c.top || !m.status.synced {
			return false
		}
	}
	for ref := range c.held {
		if c.bodies[ref.Hash] == nil {
			return false
		}
	}
	return true
}

func (c *cluster) ok() {
	c.t.Helper()
	if err := c.net.Err(); err != nil {
		c.t.Fatal(err)
	}
	c.noContradictions()
}

// noContradictions looks through what the honest members stored.
func (c *cluster) noContradictions() {
	c.t.Helper()
	for _, id := range c.ids {
		if c.shirks[id] {
			continue
		}
		votes := map[[2]uint64]chain.Hash{}
		acks := map[chain.BodyRef]chain.Hash{}
		for _, p := range c.net.Records(id) {
			switch p.Kind {
			case RecordVote:
				msg, err := Decode(p.Data)
				must(c.t, err)
				prop := msg.(*Proposal)
				at := [2]uint64{prop.View, prop.Header.Height}
				if old, ok := votes[at]; ok && old != prop.block() {
					c.t.Fatalf("node %d prepared two blocks in view %d at height %d", id, prop.View, prop.Header.Height)
				}
				votes[at] = prop.block()
			case RecordBody:
				b, err := chain.DecodeBody(p.Data)
				must(c.t, err)
				key := chain.BodyRef{Author: b.Author, Number: b.Number}
				if old, ok := acks[key]; ok && old != b.Hash {
					c.t.Fatalf("node %d acked two bodies %d of %d", id, b.Number, b.Author)
				}
				acks[key] = b.Hash
			}
		}
	}
}

// eventually runs until cond holds.
func (c *cluster) eventually(what string, cond func() bool, limit time.Duration) {
	c.t.Helper()
	if !c.net.RunUntil(cond, limit) {
		c.ok()
		for seat, id := range c.ids {
			if m := c.machine(seat); m != nil {
				c.t.Logf("node %d: height %d view %d joined %d synced %v acked %d round %v best %v status %+v", id, m.height, m.view, m.joined, m.status.synced, m.acked, m.round != nil, m.best != nil, c.status[id])
			} else {
				c.t.Logf("node %d is down", id)
			}
		}
		var heldOpen int
		for ref := range c.held {
			if c.bodies[ref.Hash] == nil {
				heldOpen++
			}
		}
		c.t.Fatalf("after %v of simulated time still not: %s (height %d, %d held of %d authored not final)", c.net.Elapsed(), what, c.top, heldOpen, c.authored)
	}
	c.ok()
}

func (c *cluster) synced() {
	c.t.Helper()
	c.eventually("everybody is synced", func() bool {
		for seat := range c.ids {
			if m := c.machine(seat); m != nil && !m.status.synced {
				return false
			}
		}
		return true
	}, 10*time.Second)
}

func (c *cluster) accused(seat int, what Fault) bool {
	for _, f := range c.faults {
		if f.Who == c.ids[seat] && f.What == what {
			return true
		}
	}
	return false
}
