package council

import (
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// annals are the records of a world as anchors.
type annals struct{ *world }

func (a annals) Convinces(_ chain.ShardID, term chain.Term) bool { return term.Epoch+1 >= a.epoch() }

func (a annals) Around(_ chain.ShardID, height uint64) (below, above byzcoin.Point) {
	for i := range a.records {
		h := &a.records[i].Proof.Header
		p := byzcoin.Point{Height: h.Height, Hash: h.Hash()}
		if h.Height > height {
			return below, p
		}
		below = p
	}
	return below, byzcoin.Point{}
}

// headers are some of a validator's log.
func (w *world) headers(id sm.NodeID, e byzcoin.Serve) *byzcoin.Headers {
	h := &byzcoin.Headers{}
	for _, p := range w.net.Records(id) {
		if p.Kind != byzcoin.RecordFinal {
			continue
		}
		if b := must(chain.DecodeBlock(p.Data)); b.Header.Height >= e.From && b.Header.Height < e.From+uint64(e.Count) {
			h.List = append(h.List, b.Header)
		}
	}
	return h
}

// Who has the records of all epochs and none of the blocks follows the identity chain
// from the genesis by what the records name, past a source that sends other headers.
func TestTheRecordsLeadToTheIdentityChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, joiners: 1, seed: 5, faults: calm, anchored: true})
	joiner := w.ids[4]
	w.net.Crash(joiner)
	w.toEpoch(6, 2*time.Minute)
	asked := false
	w.net.FilterIn(joiner, func(now time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if e, ok := msg.(*Envelope); ok {
			if h, ok := byzcoin.Untag(e.Msg).(*byzcoin.Headers); ok {
				asked = true
				if from == w.ids[0] && len(h.List) > 0 {
					h.List[0].Outcomes[1] ^= 1
				}
			}
		}
		return sim.Pass(from, msg)
	})
	w.hostile[w.ids[0]] = true
	w.net.Restart(joiner)
	w.eventually("it follows", func() bool {
		return w.agreed[joiner].Phase == byzcoin.Following && w.core(joiner).Point().Height == w.top
	}, time.Minute)
	if !asked {
		t.Error("it asked for no headers")
	}
	w.toEpoch(7, time.Minute)
}
