package simnet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/node/validator"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// judge watches what honest validators come to. It executes every final block
// on ledgers of its own.
type judge struct {
	*Net
	chains []finality // by shard
	txs    map[chain.TxID]*fate
	order  []*fate // by first appearance
	// coins are all outputs that are final, and spends which transactions a shard
	// accepted that spend one.
	coins    map[chain.OutPoint]chain.Output
	spends   map[chain.OutPoint][]*fate
	promises map[promise]chain.ValidatorID
	unkept   int             // promises that no final block keeps yet
	gaps     []time.Duration // between final blocks, of all shards
	// transfers are how long transfers took that met a turn of a shard.
	transfers []time.Duration
}

// finality is a shard's chain of final blocks.
type finality struct {
	state   *atomix.State
	hashes  []chain.Hash                 // of the blocks, from height 1
	reports [][32]byte                   // of what they came to
	supply  uint64                       // value less what other shards brought
	numbers map[chain.ValidatorID]uint64 // in the term

	transition transepoch.State
	leads      map[chain.Term]int // the seats that lead the first views
	lastAt     time.Duration      // when the last block was final
	turned     bool               // it was the last of its term
	turns      int
	done       map[chain.TxID]bool // transactions with an outcome, or in a final body
}

// promise is that a shard accepted a transaction.
type promise struct {
	shard chain.ShardID
	id    chain.TxID
}

func (j *judge) init(n *Net) {
	*j = judge{
		Net: n, txs: map[chain.TxID]*fate{}, coins: map[chain.OutPoint]chain.Output{},
		spends: map[chain.OutPoint][]*fate{}, promises: map[promise]chain.ValidatorID{},
	}
}

func (j *judge) open() error {
	var total uint64
	for s := range j.plan.Sizes {
		state := j.genesis(chain.ShardID(s))
		sp := state.Supply()
		total += sp.Value
		j.chains = append(j.chains, finality{
			state: state, supply: sp.Value, numbers: map[chain.ValidatorID]uint64{}, done: map[chain.TxID]bool{},
			transition: transepoch.State{Chain: j.params.ChainID, Shard: chain.ShardID(s), Epoch: epoch},
			leads:      map[chain.Term]int{{Epoch: epoch}: 0},
		})
	}
	if total != j.supply {
		return fmt.Errorf("the shards begin with %d, the genesis gives %d", total, j.supply)
	}
	return nil
}

// term is that of the next block.
func (f *finality) term() chain.Term {
	return chain.Term{Epoch: f.transition.Epoch, Batch: f.transition.Batch}
}

// restarted checks what a validator restarts with.
func (j *judge) restarted(m *post, p *byzcoin.Point) {
	f := &j.chains[m.shard]
	if p.Height > uint64(len(f.hashes)) {
		j.fail("validator %d restarts at height %d, nobody has made more than %d final", m.id, p.Height, len(f.hashes))
	} else if p.Height > 0 && f.hashes[p.Height-1] != p.Hash {
		j.fail("invariant 2: validator %d restarts with another block %d than is final", m.id, p.Height)
	}
}

// final checks a block that a validator made final.
func (j *judge) final(m *post, d *validator.Decided) {
	f := &j.chains[m.shard]
	h := &d.Block.Header
	hash := h.Hash()
	if h.Height != m.height+1 {
		j.fail("validator %d makes block %d final above block %d", m.id, h.Height, m.height)
		return
	}
	m.height = h.Height
	report := sha256.Sum256(atomix.AppendReport(nil, d.Report))
	if h.Height > uint64(len(f.hashes)) {
		j.first(f, m, d, hash)
		f.hashes, f.reports = append(f.hashes, hash), append(f.reports, report)
		j.stats.Blocks++
		return
	}
	switch {
	case f.hashes[h.Height-1] != hash:
		j.fail("invariant 2: validator %d of shard %d has block %s at height %d, others have %s", m.id, m.shard, hash.Short(), h.Height, f.hashes[h.Height-1].Short())
	case f.reports[h.Height-1] != report:
		j.fail("invariant 2: for validator %d block %d of shard %d came to something else than for others", m.id, h.Height, m.shard)
	}
}

// first checks a block that nobody had before.
func (j *judge) first(f *finality, m *post, d *validator.Decided, hash chain.Hash) {
	h := d.Block.Header
	if h.Term() != f.term() {
		j.fail("block %d of shard %d is of term %v, which the blocks below do not lead to: %v", h.Height, m.shard, h.Term(), f.term())
		return
	}
	if err := d.Block.Cert.Verify(j.board(m.shard, h.Term()).Cosi, &h, hash); err != nil {
		j.fail("block %d of shard %d is not certified by the committee of term %v: %w", h.Height, m.shard, h.Term(), err)
		return
	}
	bodies := make([]*chain.Body, len(d.Bodies))
	for i, b := range d.Bodies {
		bodies[i] = &chain.Body{Payload: bytes.Clone(b.Payload), Author: b.Author, Number: b.Number}
		ref := d.Block.Refs[i]
		if b.Ref() != ref || sha256.Sum256(b.Raw) == [32]byte{} {
			j.fail("block %d of shard %d comes with other bodies", h.Height, m.shard)
		}
		if f.numbers[ref.Author]++; f.numbers[ref.Author] != ref.Number {
			j.fail("block %d of shard %d has body %d of validator %d after %d", h.Height, m.shard, ref.Number, ref.Author, f.numbers[ref.Author]-1)
		}
		pl, err := j.checkBody(j.Net, b)
		if err != nil {
			j.fail("block %d of shard %d has a body of validator %d that breaks a rule: %w", h.Height, m.shard, ref.Author, err)
			return
		}
		j.register(m.shard, pl)
	}
	root := h.Outcomes
	h.Outcomes = chain.Hash{}
	if f.state.Execute(&h, bodies) != root {
		j.fail("block %d of shard %d has another root than executing it gives", h.Height, m.shard)
		return
	}
	f.state.Finalize(d.Block)
	j.turn(f, d.Block, bodies)
	j.record(m.shard, f.state.Report())
	j.value(m.shard)
}

// pace is the median time between two final blocks of a shard.
func (j *judge) pace() time.Duration {
	if len(j.gaps) == 0 {
		return 0
	}
	slices.Sort(j.gaps)
	return j.gaps[len(j.gaps)/2]
}

// turn finds out whether a final block was the last of its term.
func (j *judge) turn(f *finality, b *chain.Block, bodies []*chain.Body) {
	now, h := j.now(), &b.Header
	if f.turned {
		j.stats.TurnGap = max(j.stats.TurnGap, now-f.lastAt)
	}
	j.gaps = append(j.gaps, now-f.lastAt)
	f.lastAt, f.turned = now, false
	for _, body := range bodies {
		pl, err := j.params.DecodePayload(body.Payload)
		if err != nil || pl.Turn == nil {
			continue
		}
		next := f.transition
		if e, err := transepoch.DecodeEnter(pl.Turn); err == nil {
			if e.Epoch <= next.Epoch {
				continue
			}
			p := j.planOf(e.Epoch)
			if p == nil || e.EpochBlock != blockOf(e.Epoch) {
				j.fail("block %d of shard %d enters epoch %d by a block that there is not", h.Height, h.Shard, e.Epoch)
				return
			}
			if next, err = next.Enter(j.planOf(next.Epoch), p, h.Height); err != nil {
				j.fail("block %d of shard %d: %w", h.Height, h.Shard, err)
				return
			}
		} else {
			rec, err := transepoch.DecodeSwapRecord(pl.Turn)
			if err != nil {
				j.fail("block %d of shard %d has a turn that is none: %w", h.Height, h.Shard, err)
				return
			}
			if rec.Epoch != next.Epoch {
				continue
			}
			plan := j.planOf(next.Epoch)
			before := next
			if next, err = next.Swap(plan, rec, h.Height); err != nil {
				continue
			}
			j.present(f, &before, plan, rec)
		}
		f.transition, f.turned = next, true
		f.turns++
		clear(f.numbers)
		f.leads[f.term()] = leadOf(b, j.board(h.Shard, f.term()))
		j.stats.Turns++
		for p := range j.promises {
			if p.shard == h.Shard && !f.done[p.id] {
				j.stats.Carried++
			}
		}
		j.stats.Absent = max(j.stats.Absent, len(next.Absent))
		j.refresh(h.Shard)
		return
	}
}

// present checks the Readies in a record that counted.
func (j *judge) present(f *finality, s *transepoch.State, plan *transepoch.Plan, rec *transepoch.SwapRecord) {
	for _, a := range rec.Present {
		r := transepoch.Ready{Chain: s.Chain, Shard: s.Shard, Epoch: s.Epoch, Validator: a.Validator, Height: a.Height, StateRoot: a.StateRoot, Signature: a.Signature}
		for b := uint32(1); b <= plan.Last(s.Shard); b++ {
			for _, w := range plan.Batch(s.Shard, b) {
				if w.In == a.Validator {
					r.Batch = b
				}
			}
		}
		for _, was := range s.Absent {
			if was.Validator == a.Validator {
				r.Epoch, r.Batch = was.Epoch, was.Batch
			}
		}
		key, _ := j.signing(a.Validator)
		if a.Height > uint64(len(f.hashes)) || f.hashes[a.Height-1] != a.StateRoot || r.CheckSignature(&key) != nil {
			j.fail("shard %d takes validator %d as ready by what it did not sign, or for another state at height %d", s.Shard, a.Validator, a.Height)
		}
	}
}

// now is the simulated time.
func (n *Net) now() time.Duration {
	if n.sim == nil {
		return 0
	}
	return n.sim.Elapsed()
}

// value checks that a shard's value is what it should be.
func (j *judge) value(shard chain.ShardID) {
	f := &j.chains[shard]
	sp := f.state.Supply()
	due := sp.BetweenSum()
	due.Add(f.supply)
	if due != (atomix.Net{Lo: sp.Value}) {
		j.fail("invariant 3: shard %d holds %d, the genesis gave it %d and other shards %v", shard, sp.Value, f.supply, sp.BetweenSum())
	}
	if f.state.Height()%8 == 0 {
		if err := f.state.Audit(); err != nil {
			j.fail("invariant 3: %w", err)
		}
	}
}

// register notes the transactions of a body.
func (j *judge) register(shard chain.ShardID, pl *chain.Payload) {
	for i := range pl.Txs {
		id := pl.Txs[i].ID
		j.fateOf(&pl.Txs[i])
		j.dealtWith(shard, id)
	}
	for _, b := range pl.Bundles {
		for i := range b.Txs {
			j.fateOf(&b.Txs[i])
		}
	}
}

// accepted notes that an honest validator accepted a transaction.
func (j *judge) accepted(m *post, t *chain.Tx) {
	p := promise{m.shard, t.ID}
	if _, ok := j.promises[p]; ok {
		return
	}
	j.fateOf(t)
	j.promises[p] = m.id
	if !j.chains[m.shard].done[t.ID] {
		j.unkept++
	}
	j.stats.Accepted++
}

// dealtWith notes that a transaction is in a final body or has an outcome.
func (j *judge) dealtWith(shard chain.ShardID, id chain.TxID) {
	f := &j.chains[shard]
	if f.done[id] {
		return
	}
	f.done[id] = true
	if _, promised := j.promises[promise{shard, id}]; promised {
		j.unkept--
	}
}
