package council

import (
	"bytes"
	"fmt"
	"time"

	"ios/chain"
	"ios/drp"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// check holds after every step: whoever knows an output knows the same.
func (w *world) check() error {
	for _, id := range w.ids {
		c := w.core(id)
		if c == nil || c.beacon == nil || c.beacon.result == nil {
			continue
		}
		epoch, out := c.beacon.epoch, c.beacon.result.Random
		if known, ok := w.outputs[epoch]; ok && known != out {
			return fmt.Errorf("validator %d knows output %s of epoch %d, another knows %s", id, out.Short(), epoch, known.Short())
		}
		w.outputs[epoch] = out
	}
	return nil
}

func (w *world) delivered(id sm.NodeID, v any) {
	if s, ok := v.(byzcoin.Status); ok {
		w.agreed[id] = s
	}
	if w.hostile[id] {
		return
	}
	switch v := v.(type) {
	case Decided:
		w.decided(id, v)
	case NewEpoch:
		w.onEpoch(id, v)
	case Status:
		w.status[id] = v
	case Answer:
		w.answers[v.Tag] = v
	case Misbehaviour:
		w.accused = append(w.accused, v)
		if !w.hostile[v.Who] {
			w.net.Fail(fmt.Errorf("validator %d accuses honest %d: %s", id, v.Who, v.Cause))
		}
	case byzcoin.Misbehaviour:
		w.faulty = append(w.faulty, v)
		if !w.hostile[v.Who] && !(v.What == byzcoin.FaultLeftOut && w.chaotic) {
			w.net.Fail(fmt.Errorf("validator %d accuses honest %d: %s: %s", id, v.Who, v.What, v.Cause))
		}
	case byzcoin.Status:
		if v.Phase == byzcoin.Halted {
			w.net.Fail(fmt.Errorf("validator %d halted: %s", id, v.Reason))
		}
	}
}

func (w *world) decided(id sm.NodeID, d Decided) {
	h := &d.Block.Header
	if known, ok := w.blocks[h.Height]; ok {
		if known != h.Hash() {
			w.net.Fail(fmt.Errorf("fork at height %d: validator %d has another block than others", h.Height, id))
		}
		return
	}
	w.blocks[h.Height] = h.Hash()
	w.top = max(w.top, h.Height)
	for _, b := range d.Bodies {
		p, err := identity.DecodePayload(b.Payload)
		if err != nil {
			w.net.Fail(err)
			return
		}
		for _, op := range p.Ops {
			w.noteOp(op, b.Author)
		}
	}
}

// recorded takes note of blocks that became final just before a crash.
func (w *world) recorded(id sm.NodeID, records []sm.Persist) {
	stored := map[chain.Hash]*chain.Body{}
	for _, p := range records {
		switch p.Kind {
		case byzcoin.RecordBody, byzcoin.RecordPulled:
			b := must(chain.DecodeBody(p.Data))
			stored[b.Hash] = b
		case byzcoin.RecordFinal:
			b := must(chain.DecodeBlock(p.Data))
			d := Decided{Block: b}
			for _, ref := range b.Refs {
				d.Bodies = append(d.Bodies, stored[ref.Hash])
			}
			w.decided(id, d)
		}
	}
}

// noteOp has a transcript verified by a client, who needs nothing but the book and
// the seed's choice.
func (w *world) noteOp(op identity.Op, author chain.ValidatorID) {
	w.ops[op.Kind()]++
	switch op := op.(type) {
	case *identity.Seed:
		w.seeders = append(w.seeders, author)
		if w.choice == nil {
			w.choice = bytes.Clone(op.Choice)
			w.judgeSeed(op, author)
		}
	case *identity.Output:
		cfg := w.book.Beacon()
		if op.Epoch != cfg.Epoch {
			return // its record came first
		}
		out, err := drp.Verify(cfg, append(chain.AppendBlob(nil, w.choice), op.Rest...))
		if err != nil || out.Random != op.Random {
			w.net.Fail(fmt.Errorf("the transcript of epoch %d does not verify: %v", op.Epoch, err))
		}
		w.verified++
	}
}

func (w *world) onEpoch(id sm.NodeID, e NewEpoch) {
	hash, ok := w.hashes[e.Epoch.Number]
	if ok && hash != e.Epoch.Hash() {
		w.net.Fail(fmt.Errorf("validator %d has another record of epoch %d than others", id, e.Epoch.Number))
	}
	if ok {
		return
	}
	w.hashes[e.Epoch.Number] = e.Epoch.Hash()
	if out, known := w.outputs[e.Epoch.Number]; known && e.Epoch.Course != identity.Void && out != e.Epoch.Random {
		w.net.Fail(fmt.Errorf("the record of epoch %d has another output than the collectors", e.Epoch.Number))
	}
	if err := w.book.Add(e.Record, e.Proof); err != nil {
		w.net.Fail(fmt.Errorf("a client does not believe the record of epoch %d: %w", e.Epoch.Number, err))
		return
	}
	w.choice = nil
	w.records = append(w.records, e)
	if !w.plan.still {
		w.net.After(time.Duration(100+w.net.Random().IntN(900))*time.Millisecond, w.shardsGoOn)
	}
}

// dealtOnce wants every honest validator to have dealt once in a view.
func (w *world) dealtOnce() {
	w.t.Helper()
	type deal struct {
		epoch, view uint64
	}
	for _, id := range w.ids {
		seen := map[deal]bool{}
		for _, p := range w.net.Records(id) {
			if p.Kind != RecordBeacon || p.Data[8] != drp.RecordDealing || w.hostile[id] {
				continue
			}
			d := deal{be.Uint64(p.Data), must(drp.DecodeDealing(p.Data[9:])).View}
			if seen[d] {
				w.t.Errorf("validator %d dealt twice in view %d for epoch %d", id, d.view, d.epoch)
			}
			seen[d] = true
		}
	}
}

// drawn wants all epochs up to now to have outputs that a client verified.
func (w *world) drawn() {
	w.t.Helper()
	w.dealtOnce()
	for _, e := range w.records {
		if e.Epoch.Course == identity.Void {
			w.t.Errorf("epoch %d is void", e.Epoch.Number)
		}
	}
	if w.verified < len(w.records) {
		w.t.Errorf("%d transcripts of %d epochs were verified", w.verified, len(w.records))
	}
}
