package byzcoin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/internal/sim"
	"ios/internal/sm"
)

// realm is an application whose committees change: a body "turn N" leads from
// term N-1 of the script to term N.
type realm struct {
	ledger
	terms []chain.Term
	at    int // of terms
	then  int // once the open execution is final
}

func (r *realm) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	if h.Term() != r.terms[r.at] {
		r.broken = fmt.Errorf("block %d of term %v in term %v", h.Height, h.Term(), r.terms[r.at])
	}
	r.then = r.at
	for _, b := range bodies {
		n, turn := 0, bytes.HasPrefix(b.Payload, []byte("turn "))
		if _, err := fmt.Sscanf(string(b.Payload), "turn %d", &n); turn && err == nil && n == r.at+1 && n < len(r.terms) {
			r.then = n
		}
	}
	return r.ledger.Execute(h, bodies)
}

func (r *realm) Finalize(b *chain.Block) {
	r.ledger.Finalize(b)
	r.at = r.then
}

func (r *realm) Next() chain.Term { return r.terms[r.at] }

// reign is a term of the script.
type reign struct {
	term  chain.Term
	seats []int // validators
}

// dynasty is a chain of many committees in the simulator, with everything that
// must hold.
type dynasty struct {
	t       testing.TB
	net     *sim.Network
	ids     []sm.NodeID // of the validators
	keys    []*sig.Key
	voices  []Voice
	rings   map[sm.NodeID]func(sig.PublicKey) (Voice, bool) // of those with more than one voice
	script  []reign
	terms   []chain.Term
	boards  map[chain.Term]*chain.Committee
	unknown map[sm.NodeID]chain.Term // the committees from here on are not known there
	policy  Policy
	apps    map[sm.NodeID]*realm
	shirks  map[sm.NodeID]bool
	snaps   map[sm.NodeID]snapshot
	shelves map[sm.NodeID]*shelf
	sources []sm.NodeID                 // what the owners name
	mute    bool                        // they name nobody
	anchors Anchors                     // that the owners have; nil: none
	slow    map[sm.NodeID]time.Duration // how long answers of logs take to get there

	blocks   map[uint64]*chain.Block
	top      uint64
	at       int // the script's term of the next block
	final    map[chain.Hash]bool
	numbers  map[chain.ValidatorID]uint64 // in the term
	held     map[chain.Hash]*holding
	lists    map[chain.Hash]map[sm.NodeID]bool // who has it as unfinished
	passed   map[chain.Term]map[sm.NodeID]bool // who has left a term
	faults   []Misbehaviour
	status   map[sm.NodeID]Status
	payloads map[string]bool            // that were held
	done     map[string]bool            // that are final
	again    map[sm.NodeID][]string     // to be put up once more
	settles  map[sm.NodeID][]chain.Term // when they have been
	chaotic  bool
	quorum   int
}

type holding struct {
	term chain.Term
	body *chain.Body
}

func (d *dynasty) Committee(chain.ShardID, chain.Term) (*chain.Committee, error) { panic("per node") }

// archive is what one validator knows of the committees.
type archive struct {
	*dynasty
	id sm.NodeID
}

func (a archive) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	if from, ok := a.unknown[a.id]; ok && term.Compare(from) >= 0 {
		return nil, chain.Rule(chain.ErrNotReady, "the epoch block of term %v is not here", term)
	}
	if b := a.boards[term]; b != nil {
		return b, nil
	}
	return nil, chain.Rule(chain.ErrNotReady, "term %v is not in the script", term)
}

var realmID = chain.Hash{7, 7}

func newDynasty(t testing.TB, size int, script []reign, seed uint64, faults sim.Faults) *dynasty {
	d := &dynasty{
		t: t, script: script, boards: map[chain.Term]*chain.Committee{}, unknown: map[sm.NodeID]chain.Term{},
		snaps: map[sm.NodeID]snapshot{}, shelves: map[sm.NodeID]*shelf{}, apps: map[sm.NodeID]*realm{}, shirks: map[sm.NodeID]bool{}, blocks: map[uint64]*chain.Block{},
		final: map[chain.Hash]bool{}, numbers: map[chain.ValidatorID]uint64{}, held: map[chain.Hash]*holding{},
		lists: map[chain.Hash]map[sm.NodeID]bool{}, passed: map[chain.Term]map[sm.NodeID]bool{}, status: map[sm.NodeID]Status{},
		rings: map[sm.NodeID]func(sig.PublicKey) (Voice, bool){}, payloads: map[string]bool{}, done: map[string]bool{}, again: map[sm.NodeID][]string{}, settles: map[sm.NodeID][]chain.Term{},
	}
	d.policy = Policy{BlockInterval: 300 * time.Millisecond}
	scheme := cositest.New("dynasty")
	var cosigns []cosi.PublicKey
	for i := range size {
		seed := sha256.Sum256(fmt.Appendf(nil, "validator %d", i))
		key, err := sig.FromSeed(seed[:])
		must(t, err)
		secret, err := cosi.SecretFromSeed(seed[:])
		must(t, err)
		pub, err := scheme.Public(secret)
		must(t, err)
		d.ids, d.keys, cosigns = append(d.ids, sm.NodeID(2*i+1)), append(d.keys, key), append(cosigns, pub)
		d.voices = append(d.voices, Voice{key, func(msg []byte) (cosi.Signature, error) { return scheme.Sign(secret, msg) }, pub})
	}
	for _, r := range script {
		b := &chain.Committee{Shard: 3, Term: r.term}
		var keys []cosi.PublicKey
		for _, v := range r.seats {
			b.Members, b.Signing, keys = append(b.Members, d.ids[v]), append(b.Signing, d.keys[v].Public()), append(keys, cosigns[v])
		}
		var err error
		b.Cosi, err = scheme.NewCommittee(keys)
		must(t, err)
		d.boards[r.term], d.terms = b, append(d.terms, r.term)
	}
	d.sources = d.boards[d.terms[0]].Members
	d.net = sim.New(sim.Config{
		Seed: seed, Nodes: d.ids, Faults: faults, Decode: Decode, Factory: d.build,
		Answer: d.answer, Delivered: d.delivered, Check: d.check,
	})
	return d
}

func (d *dynasty) index(id sm.NodeID) int { return slices.Index(d.ids, id) }

func (d *dynasty) config(id sm.NodeID, app Application) ChainConfig {
	voice := func(signing sig.PublicKey) (Voice, bool) {
		if ring := d.rings[id]; ring != nil {
			return ring(signing)
		}
		return d.voices[d.index(id)].Only(signing)
	}
	return ChainConfig{
		ChainID: realmID, Shard: 3, Self: id, Committees: archive{d, id}, Voice: voice,
		Policy: d.policy, App: app, Sources: d.sources, Anchors: d.anchors,
	}
}

func (d *dynasty) build(id sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
	app := &realm{terms: d.terms}
	delete(d.again, id)
	delete(d.settles, id)
	snap := d.snaps[id]
	if snap.from > len(records) {
		snap = snapshot{} // it was never finished
	}
	if snap.state != nil {
		*app = snap.app
	}
	d.apps[id] = app
	c, err := RestoreChain(d.config(id, app), snap.state, slices.Values(records[snap.from:]))
	if err != nil {
		d.t.Fatalf("node %d does not restart: %v", id, err)
	}
	if !d.shirks[id] {
		d.recorded(id, records)
	}
	s := &station{Chain: c, returned: len(records)}
	return s, s.Step(now, Start{})
}

// station is a chain whose records are counted.
type station struct {
	*Chain
	returned int
}

func (s *station) Step(now time.Time, ev sm.Event) []sm.Effect {
	effects := s.Chain.Step(now, ev)
	for _, e := range effects {
		if _, ok := e.(sm.Persist); ok {
			s.returned++
		}
	}
	return effects
}

// snapshot is an application and a chain as of so many records.
type snapshot struct {
	from  int
	state []byte
	app   realm
}

// snap takes a snapshot of a validator, if it is up.
func (d *dynasty) snap(v int) {
	s, ok := d.net.Machine(d.ids[v]).(*station)
	if !ok {
		return
	}
	s.Revert()
	d.snaps[d.ids[v]] = snapshot{s.returned, bytes.Clone(s.ExportState()), *d.apps[d.ids[v]]}
}

func (d *dynasty) check() error {
	for _, id := range d.ids {
		if app := d.apps[id]; app.broken != nil && !d.shirks[id] {
			return fmt.Errorf("node %d: %w", id, app.broken)
		}
	}
	return nil
}

func (d *dynasty) chain(v int) *Chain {
	if s, ok := d.net.Machine(d.ids[v]).(*station); ok {
		return s.Chain
	}
	return nil
}

// answer is the runner's part.
func (d *dynasty) answer(id sm.NodeID, e sm.Effect) (time.Duration, sm.Event) {
	switch e := e.(type) {
	case Check:
		var err error
		if bytes.HasPrefix(e.Body.Payload, []byte("bad")) {
			err = errors.New("a bad payload")
		}
		return time.Duration(d.net.Random().IntN(3)) * time.Millisecond, Checked{Hash: e.Body.Hash, Err: err}
	case ReadHeader:
		if d.shelf(id).blocks[e.Height] == nil {
			d.net.Fail(fmt.Errorf("node %d is asked for block %d, which is not in its log", id, e.Height))
		}
		return time.Millisecond, HeaderRead{e.Height, d.shelf(id).header(e.Height).Hash()}
	case Serve:
		d.net.After(d.slow[e.To], func() {
			if e.Headers {
				d.net.Inject(id, e.To, d.shelf(id).headers(e))
				return
			}
			reply, err := d.shelf(id).serve(e)
			if err != nil {
				d.net.Fail(err)
			} else if reply != nil {
				d.net.Inject(id, e.To, reply)
			}
		})
	case ReadBody:
		for _, p := range d.net.Records(id) {
			if p.Kind == RecordBody || p.Kind == RecordPulled {
				if b, err := chain.DecodeBody(p.Data); err == nil && b.Ref() == e.Ref && b.Term() == e.Term {
					d.net.Inject(id, e.To, Tag(e.Term, &Body{b}))
					break
				}
			}
		}
	}
	return 0, nil
}

// shelf is the index over a validator's durable records.
type shelf struct {
	read   int
	blocks map[uint64][]byte
	bodies map[chain.Hash][]byte
	refs   map[uint64][]chain.BodyRef
}

func (d *dynasty) shelf(id sm.NodeID) *shelf {
	s := d.shelves[id]
	if s == nil {
		s = &shelf{blocks: map[uint64][]byte{}, bodies: map[chain.Hash][]byte{}, refs: map[uint64][]chain.BodyRef{}}
		d.shelves[id] = s
	}
	for _, p := range d.net.Records(id)[s.read:] {
		s.read++
		switch p.Kind {
		case RecordBody, RecordPulled:
			b, err := chain.DecodeBody(p.Data)
			must(d.t, err)
			s.bodies[b.Hash] = p.Data
		case RecordFinal:
			b, err := chain.DecodeBlock(p.Data)
			must(d.t, err)
			s.blocks[b.Header.Height], s.refs[b.Header.Height] = p.Data, b.Refs
		}
	}
	return s
}

func (s *shelf) header(height uint64) *chain.Header {
	b, err := chain.DecodeBlock(s.blocks[height])
	if err != nil {
		return &chain.Header{}
	}
	return &b.Header
}

func (s *shelf) headers(e Serve) *Headers {
	h := &Headers{}
	for i := range uint64(e.Count) {
		h.List = append(h.List, *s.header(e.From + i))
	}
	return h
}

func (s *shelf) serve(e Serve) (*SyncReply, error) {
	var blocks [][]byte
	var bodies [][][]byte
	for h := e.From; h < e.From+uint64(e.Count) && s.blocks[h] != nil; h++ {
		var list [][]byte
		for _, ref := range s.refs[h] {
			if s.bodies[ref.Hash] == nil {
				return nil, fmt.Errorf("body %d of %d is final and not in the log", ref.Number, ref.Author)
			}
			list = append(list, s.bodies[ref.Hash])
		}
		blocks, bodies = append(blocks, s.blocks[h]), append(bodies, list)
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	return NewSyncReply(blocks, bodies)
}

// delivered checks what must always hold, and does the owner's part.
func (d *dynasty) delivered(id sm.NodeID, v any) {
	switch v := v.(type) {
	case Authored:
		if text, ok := v.Tag.(string); ok && v.Err == nil {
			d.again[id] = slices.DeleteFunc(d.again[id], func(s string) bool { return s == text })
		}
	case Held:
		if !d.shirks[id] {
			d.hold(id, v)
		}
	case Final:
		if !d.shirks[id] {
			d.onFinal(id, v.Block, v.Bodies)
		}
	case Succeeded:
		if !d.shirks[id] {
			d.succeeded(id, v)
		}
	case Misbehaviour:
		d.faults = append(d.faults, v)
		if !d.shirks[v.Who] && !d.shirks[id] && !(v.What == FaultLeftOut && d.chaotic) {
			d.net.Fail(fmt.Errorf("node %d accuses honest %d: %s: %s", id, v.Who, v.What, v.Cause))
		}
	case Status:
		d.status[id] = v
		if v.Phase == Halted && !d.shirks[id] {
			d.net.Fail(fmt.Errorf("node %d halted: %s", id, v.Reason))
		}
	}
}

// hold notes a body that its author may tell clients of.
func (d *dynasty) hold(id sm.NodeID, v Held) {
	if h := d.held[v.Hash]; h == nil {
		if raw := d.shelf(id).bodies[v.Hash]; raw != nil {
			b, err := chain.DecodeBody(raw)
			must(d.t, err)
			d.held[v.Hash] = &holding{b.Term(), b}
			d.payloads[string(b.Payload)] = true
		}
	}
}

// recorded are blocks that became final just before a crash, and terms that
// ended then.
func (d *dynasty) recorded(id sm.NodeID, records []sm.Persist) {
	stored := map[chain.Hash]*chain.Body{}
	for _, p := range records {
		switch p.Kind {
		case RecordBody, RecordPulled:
			b, err := chain.DecodeBody(p.Data)
			must(d.t, err)
			stored[b.Hash] = b
		case RecordFinal:
			b, err := chain.DecodeBlock(p.Data)
			must(d.t, err)
			var bodies []*chain.Body
			for _, ref := range b.Refs {
				bodies = append(bodies, stored[ref.Hash])
			}
			d.onFinal(id, b, bodies)
		}
	}
}

func (d *dynasty) onFinal(id sm.NodeID, b *chain.Block, bodies []*chain.Body) {
	h := &b.Header
	if board := d.boards[h.Term()]; board == nil || b.Cert.Verify(board.Cosi, h, h.Hash()) != nil {
		d.net.Fail(fmt.Errorf("node %d: block %d is not certified by the committee of its term %v", id, h.Height, h.Term()))
		return
	}
	if known := d.blocks[h.Height]; known != nil {
		if known.Header.Hash() != h.Hash() {
			d.net.Fail(fmt.Errorf("fork at height %d: node %d has another block than others", h.Height, id))
		}
		return
	}
	if h.Height != d.top+1 {
		d.net.Fail(fmt.Errorf("block %d is final before block %d", h.Height, d.top+1))
		return
	}
	if h.Term() != d.terms[d.at] {
		d.net.Fail(fmt.Errorf("block %d is of term %v in term %v", h.Height, h.Term(), d.terms[d.at]))
	}
	d.top, d.blocks[h.Height] = h.Height, b
	next := d.at
	for i, ref := range b.Refs {
		if d.numbers[ref.Author]++; d.numbers[ref.Author] != ref.Number || bodies[i] == nil || bodies[i].Ref() != ref {
			d.net.Fail(fmt.Errorf("block %d has body %d of %d as its body %d", h.Height, ref.Number, ref.Author, d.numbers[ref.Author]))
			return
		}
		d.final[ref.Hash] = true
		d.done[string(bodies[i].Payload)] = true
		n := 0
		if _, err := fmt.Sscanf(string(bodies[i].Payload), "turn %d", &n); err == nil && n == d.at+1 && n < len(d.terms) {
			next = n
		}
	}
	if next != d.at {
		d.at = next
		clear(d.numbers)
		if d.mute {
			return
		}
		d.sources = d.boards[d.terms[d.at]].Members
		for _, id := range d.ids {
			d.net.After(time.Millisecond, func() {
				d.net.Do(id, SourcesChanged{d.sources})
				d.net.Do(id, CommitteesChanged{})
			})
		}
	}
}

// succeeded puts our own contents up again, and notes what was not lost.
func (d *dynasty) succeeded(id sm.NodeID, s Succeeded) {
	if d.passed[s.From] == nil {
		d.passed[s.From] = map[sm.NodeID]bool{}
	}
	d.passed[s.From][id] = true
	for _, b := range s.Unfinished {
		if d.lists[b.Hash] == nil {
			d.lists[b.Hash] = map[sm.NodeID]bool{}
		}
		d.lists[b.Hash][id] = true
		if b.Author == id || !slices.Contains(d.boards[s.To].Members, b.Author) || d.shirks[b.Author] {
			d.again[id] = append(d.again[id], string(b.Payload))
		}
		if d.final[b.Hash] {
			d.net.Fail(fmt.Errorf("node %d: body %d of %d is final and unfinished", id, b.Number, b.Author))
		}
	}
	if len(s.Unfinished) > 0 {
		d.settles[id] = append(d.settles[id], s.From)
	}
	if len(d.again[id])+len(d.settles[id]) > 0 {
		d.putUpAgain(id)
	}
}

func (d *dynasty) putUpAgain(id sm.NodeID) {
	d.again[id] = slices.DeleteFunc(d.again[id], func(s string) bool { return d.done[s] })
	if c := d.chain(d.index(id)); c == nil {
		return
	} else if c.Seat() < 0 && len(d.again[id]) > 0 { // a leaver cannot; others do
		d.net.After(300*time.Millisecond, func() { d.putUpAgain(id) })
		return
	}
	if len(d.again[id]) == 0 {
		for _, from := range d.settles[id] {
			d.net.Do(id, Settled{from})
		}
		delete(d.settles, id)
		return
	}
	for _, text := range slices.Clone(d.again[id]) {
		d.net.Do(id, Author{Payload: []byte(text), Tag: text})
	}
	d.net.After(100*time.Millisecond, func() { d.putUpAgain(id) })
}

// author puts up a body of a validator, if it has a seat.
func (d *dynasty) author(v int, payload string) {
	if c := d.chain(v); c != nil && c.Seat() >= 0 {
		d.net.Do(d.ids[v], Author{Payload: []byte(payload)})
	}
}

// load has all validators author at random times.
func (d *dynasty) load(count int, over time.Duration) {
	for i := range count {
		d.net.After(time.Duration(d.net.Random().Int64N(int64(over))), func() {
			d.author(i%len(d.ids), fmt.Sprintf("payload %d", i))
		})
	}
}

// turns has the members ask for the next terms, one every so often, until term
// number last has come.
func (d *dynasty) turns(every time.Duration, last int) {
	var next func()
	next = func() {
		if d.at >= last || d.net.Err() != nil {
			return
		}
		seats := d.script[d.at].seats
		for range 2 {
			d.author(seats[d.net.Random().IntN(len(seats))], fmt.Sprintf("turn %d", d.at+1))
		}
		d.net.After(every, next)
	}
	d.net.After(every, next)
}

// settled reports whether all honest validators stand at one place, and nothing
// that was held is open.
func (d *dynasty) settled() bool {
	for v, id := range d.ids {
		if d.shirks[id] {
			continue
		}
		c := d.chain(v)
		if c == nil || c.m.height != d.top || c.m.ended != nil || !c.m.status.synced {
			return false
		}
	}
	for hash, h := range d.held {
		if h.term == d.terms[d.at] && !d.final[hash] {
			return false
		}
	}
	return true
}

func (d *dynasty) ok() {
	d.t.Helper()
	if err := d.net.Err(); err != nil {
		d.t.Fatal(err)
	}
	d.nothingLost()
	for _, id := range d.ids {
		if d.shirks[id] {
			continue
		}
		if _, err := RestoreChain(d.config(id, &realm{terms: d.terms}), nil, slices.Values(d.net.Records(id))); err != nil {
			d.t.Fatalf("node %d: its log says something else: %v", id, err)
		}
	}
}

// nothingLost wants what was held to be final, or unfinished with enough of the
// honest members of its committee, once all of them have left its term.
func (d *dynasty) nothingLost() {
	d.t.Helper()
	for hash, h := range d.held {
		if d.final[hash] || d.shirks[h.body.Author] {
			continue
		}
		b := d.boards[h.term]
		have, could := 0, 0
		for _, id := range b.Members {
			if d.shirks[id] {
				continue
			}
			if d.lists[hash][id] {
				have++
			} else if !d.passed[h.term][id] {
				could++
			}
		}
		if need := b.Cosi.Quorum() - b.Cosi.Faults(); have+could < need {
			d.t.Fatalf("body %d of %d of term %v was held, is not final, and only %d of %d members have it", h.body.Number, h.body.Author, h.term, have, need)
		}
	}
}

func (d *dynasty) eventually(what string, cond func() bool, limit time.Duration) {
	d.t.Helper()
	if !d.net.RunUntil(cond, limit) {
		d.ok()
		for v, id := range d.ids {
			if c := d.chain(v); c != nil {
				m := c.m
				d.t.Logf("node %d seat %d: term %v (%v) height %d view %d joined %d lead %d synced %v ended %v acked %d round %v best %v behind %d out %d status %+v",
					id, m.me, m.term(), c.term, m.height, m.view, m.joined, m.cfg.Lead, m.status.synced, m.ended != nil, m.acked, m.round != nil, m.best != nil, len(c.catchup.sources), len(c.catchup.sync.out), d.status[id])
			} else {
				d.t.Logf("node %d is down", id)
			}
		}
		d.t.Fatalf("after %v of simulated time still not: %s (height %d, term %v)", d.net.Elapsed(), what, d.top, d.terms[d.at])
	}
	d.ok()
}

func (d *dynasty) accused(v int, what Fault) bool {
	return slices.ContainsFunc(d.faults, func(f Misbehaviour) bool { return f.Who == d.ids[v] && f.What == what })
}

// reigns reads a script: "0123 1234 | 4567" is two batches of an epoch and one of
// the next.
func reigns(script string) (list []reign) {
	term := chain.Term{Epoch: 1}
	for _, word := range strings.Fields(script) {
		if word == "|" {
			term = chain.Term{Epoch: term.Epoch + 1}
			continue
		}
		r := reign{term: term}
		for _, c := range word {
			v := int(c - '0')
			if c >= 'a' {
				v = int(c-'a') + 10
			}
			r.seats = append(r.seats, v)
		}
		list = append(list, r)
		term.Batch++
	}
	return list
}
