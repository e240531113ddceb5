package identity

import (
	"bytes"
	"testing"

	"ios/chain"
)

// samples are payloads with every kind of op.
func samples(t testing.TB) (payloads [][]byte, r *rig) {
	r = newRig(t, 1, 4, 100)
	add := func(ops ...Op) { payloads = append(payloads, (&Payload{ops}).AppendTo(nil)) }
	add(&Alive{1}, r.base(0, chain.Term{Epoch: 1}), &Silent{2, 0, []chain.ValidatorID{1, 3}})
	add(r.leave(1, Payee{Owner: chain.Address{1}, Credit: true}), r.resume(2), r.unbond(3, 7, Payee{}))
	add(r.rotate(2, newSecrets(2, 1)), r.join(9, 60, payerKey(1)))
	delete(r.keys, 4)
	paid := r.pays(1, chain.Address{1}, 100, 1)
	add(r.shows(0, yes(paid), paid))
	seed, signOff := r.seed()
	add(seed)
	add(r.reveal(seed, signOff))
	return payloads, r
}

func FuzzPayload(f *testing.F) {
	payloads, _ := samples(f)
	for _, p := range payloads {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := DecodePayload(raw)
		if err != nil {
			return
		}
		if again := p.AppendTo(nil); !bytes.Equal(raw, again) {
			t.Fatalf("%x is read, %x written", raw, again)
		}
	})
}

func FuzzEpoch(f *testing.F) {
	r := newRig(f, 2, 8, 100)
	r.want(Done, r.unbond(3, 7, Payee{}))
	f.Add(r.epoch().AppendTo(nil))
	f.Add(FirstEpoch(r.g).AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := DecodeEpoch(raw)
		if err != nil {
			return
		}
		if again := e.AppendTo(nil); !bytes.Equal(raw, again) {
			t.Fatalf("%x is read, %x written", raw, again)
		}
		if _, err := newEra(e, nil, scheme); err == nil {
			for j := range e.Old {
				if _, err := e.Plan(); err != nil {
					t.Fatalf("shard %d has no plan: %v", j, err)
				}
			}
		}
	})
}

func FuzzSignOff(f *testing.F) {
	r := newRig(f, 1, 4, 0)
	_, signOff := r.seed()
	f.Add(signOff)
	cfg := r.state.Book().Beacon()
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeSignOff(raw)
		if err != nil {
			return
		}
		if again := s.AppendTo(nil); !bytes.Equal(raw, again) {
			t.Fatalf("%x is read, %x written", raw, again)
		}
		if cfg.VerifySignOff(0, chain.Hash{}, raw) == nil {
			t.Fatal("a sign-off of nothing")
		}
	})
}

// A snapshot of anything is either refused or one that can go on.
func FuzzState(f *testing.F) {
	_, r := samples(f)
	f.Add(r.state.AppendTo(nil))
	r.block(r.silent(2, 0, 1, 2)...)
	f.Add(r.state.AppendTo(nil))
	fresh := must(NewState(r.g, scheme))
	f.Add(fresh.AppendTo(nil))
	payloads, _ := samples(f)
	var bodies []*chain.Body
	for i, p := range payloads {
		bodies = append(bodies, &chain.Body{Author: chain.ValidatorID(i % 4), Payload: p})
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeState(r.g, scheme, raw)
		if err != nil {
			return
		}
		if again := s.AppendTo(nil); !bytes.Equal(raw, again) {
			t.Fatalf("%x is read, %x written", raw, again)
		}
		h := &chain.Header{Height: s.Height() + 1}
		s.Execute(h, bodies)
		s.Finalize(&chain.Block{Header: *h})
		s.Checker().Check(&chain.Body{Payload: payloads[0]})
	})
}
