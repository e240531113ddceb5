package council

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/drp"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

func tagged(tag string, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write(append([]byte{byte(len(tag))}, tag...))
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// misdeal alters the shares of a dealing, and signs it as its dealer would.
func misdeal(cfg *drp.Config, raw []byte, key *sig.Key) []byte {
	var setup []byte
	setup = append(setup, cfg.ChainID[:]...)
	setup = be.AppendUint64(setup, cfg.Epoch)
	setup = append(setup, cfg.Previous[:]...)
	setup = be.AppendUint64(be.AppendUint64(setup, uint64(cfg.GroupSize)), uint64(len(cfg.Servers)))
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		setup = append(append(be.AppendUint16(setup, uint16(s.ID)), s.Key[:]...), s.Signing[:]...)
	}
	content := slices.Clone(raw[:len(raw)-64])
	content[len(content)-1] ^= 1
	const tag = "ios/drp-dealing-signature/v1"
	msg := append([]byte{byte(len(tag))}, tag...)
	msg = append(msg, cfg.ChainID[:]...)
	msg = be.AppendUint64(msg, cfg.Epoch)
	msg = append(msg, tagged("ios/drp-setup/v1", setup)...)
	msg = append(msg, tagged("ios/drp-dealing-content/v1", content)...)
	s := key.Sign(msg)
	return append(content, s[:]...)
}

// misled is a body like the author's, with a seed in which the last chosen dealing
// is wrong.
func (w *world) misled(b *chain.Body) *chain.Body {
	cfg := w.book.Beacon()
	seed := seedOf(must(identity.DecodePayload(b.Payload)))
	choice := must(drp.DecodeChoice(seed.Choice))
	last := choice.Dealings[len(choice.Dealings)-1]
	raw := slices.Clone(seed.Choice[:len(seed.Choice)-len(last.Raw)])
	raw = append(raw, misdeal(cfg, last.Raw, w.keys[last.Dealer].signing)...)
	bad := *b
	bad.Payload = (&identity.Payload{Ops: []identity.Op{&identity.Seed{Epoch: seed.Epoch, Choice: raw}}}).AppendTo(nil)
	bad.SignBody(w.keys[b.Author].signing)
	return &bad
}

// A leader that chooses a wrong dealing is found out by all members, not only by
// those of the dealer's group, who alone would be hurt.
func TestAChoiceWithAWrongDealing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 18, seed: 1, faults: calm, policy: func(p *chain.Policy) { p.GroupSize = 9 }})
	w.eventually("a leader", w.phase(Dealing), time.Minute)
	liar, _ := w.leader()
	w.hostile[liar] = true
	var bad *chain.Body
	w.net.FilterOut(liar, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if !carries(msg, identity.KindSeed) {
			return sim.Pass(to, msg)
		}
		t, b := msg.(*Envelope).Msg.(*byzcoin.Tagged), byzcoin.Untag(msg.(*Envelope).Msg).(*byzcoin.Body)
		if bad == nil {
			bad = w.misled(b.Body)
		}
		return sim.Pass(to, Agreement(t.Term, &byzcoin.Body{Body: bad}))
	})
	w.eventually("the seed", func() bool { return bad != nil }, time.Minute)
	refused := 0
	for _, id := range w.ids {
		c := w.core(id)
		c.checkBody(bad)
		if c.out[len(c.out)-1].(*Check).Run().result.Err != nil {
			refused++
		}
		c.out = nil
	}
	if refused != len(w.ids) {
		t.Errorf("%d of %d refuse it", refused, len(w.ids))
	}
	w.toEpoch(2, time.Minute)
	w.drawn()
	for _, f := range w.faulty {
		if f.Who != liar || f.What != byzcoin.FaultBody {
			t.Errorf("%+v", f)
		}
	}
	if len(w.faulty) < 10 || slices.Contains(w.seeders, liar) {
		t.Errorf("%d accuse it, seeds are by %v", len(w.faulty), w.seeders)
	}
}
