package byzcoin

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
)

// samples has at least one of each kind of message, as a run produces them.
func samples(t testing.TB) []sm.Message {
	c := newCluster(t, 4, options{seed: 1})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.net.RunFor(2 * time.Second)
	m := c.machine(0)
	b := c.blocks[1]
	body := c.bodies[b.Refs[0].Hash]
	mask := cosi.NewMask(4)
	mask.Set(2)
	prep := Certified{Height: 2, Block: chain.Hash{1}, Cert: b.Cert}
	prep.Cert.Phase = chain.Prepare
	content := Content{b.Header, b.Refs}
	change := SignedChange{Seat: 2, View: 3, Final: m.last, Prepared: []Certified{prep}, Signature: [64]byte{5}}
	reply, err := serve(c.net.Records(c.ids[0]), Serve{From: 1, Count: 2, MaxBytes: 1 << 20})
	must(t, err)
	return []sm.Message{
		&Body{body}, &Acks{b.Refs}, &Acks{}, &Insist{b.Refs}, &Pull{b.Refs},
		&Proposal{View: 7, Header: b.Header, Refs: b.Refs, Signature: [64]byte{1}},
		&Share{Height: 3, View: 1, Phase: chain.Commit, Block: b.Header.Hash(), Votes: cosi.Contribution{Mask: mask}},
		&m.last[0], &Bypass{9}, &Complaint{9, 8}, &ViewChange{change, []Content{content}}, &ViewChange{SignedChange{Seat: 1}, nil},
		&NewView{3, []SignedChange{change, change}}, &NewView{}, &Query{1, 2, 3}, &Answer{1, 2, 3, m.last}, &Answer{},
		&Fetch{1, 2, 3}, &FetchHeaders{1, 2}, &Headers{}, &Headers{[]chain.Header{b.Header, b.Header}}, reply, &SyncReply{}, &Evidence{FaultTwoBodies, []byte{1}, []byte{2}}, &Follow{},
		&Where{chain.Term{Epoch: 1, Batch: 2}, 3}, &Ahead{chain.Term{Epoch: 4, Batch: 5}, 6},
		&Tagged{chain.Term{Epoch: 7, Batch: 1}, &Body{body}}, &Tagged{chain.Term{Epoch: 7, Batch: 2}, &Query{1, 2, 3}},
	}
}

func TestMessagesDecodeToThemselves(t *testing.T) {
	for _, msg := range samples(t) {
		raw := msg.AppendTo(nil)
		back, err := Decode(raw)
		if err != nil {
			t.Errorf("%T: %v", msg, err)
			continue
		}
		if !bytes.Equal(back.AppendTo(nil), raw) {
			t.Errorf("%T changes", msg)
		}
		if _, err := Decode(append(raw, 0)); err == nil {
			t.Errorf("%T with a byte more is accepted", msg)
		}
		for n := range raw {
			if _, err := Decode(raw[:n]); err == nil {
				t.Errorf("%T cut to %d of %d bytes is accepted", msg, n, len(raw))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, msg := range samples(f) {
		f.Add(msg.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := Decode(raw)
		if err == nil && !bytes.Equal(msg.AppendTo(nil), raw) {
			t.Fatalf("%T encodes to other bytes", msg)
		}
	})
}

// FuzzReceive feeds messages that decode to a machine in the middle of its work.
func FuzzReceive(f *testing.F) {
	for i, msg := range samples(f) {
		f.Add(byte(i), msg.AppendTo(nil))
	}
	c := newCluster(f, 4, options{seed: 1})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.net.RunFor(130 * time.Millisecond)
	records := c.net.Records(c.ids[1])
	f.Fuzz(func(t *testing.T, from byte, raw []byte) {
		msg, err := Decode(raw)
		if err != nil {
			return
		}
		cfg := c.config(c.ids[1])
		cfg.App = &ledger{}
		m, err := Restore(cfg, nil, slices.Values(records))
		must(t, err)
		now := c.net.Now()
		m.Step(now, Start{})
		m.status.synced = true
		for range 2 {
			for _, e := range m.Step(now, sm.Receive{From: c.ids[from%4], Msg: msg}) {
				if s, ok := e.(sm.Send); ok {
					if _, err := Decode(s.Msg.AppendTo(nil)); err != nil {
						t.Fatalf("it answers %T with a %T that does not decode: %v", msg, s.Msg, err)
					}
				}
			}
			now = now.Add(time.Second)
		}
	})
}

// FuzzRestore feeds states and records.
func FuzzRestore(f *testing.F) {
	c := newCluster(f, 4, options{seed: 1})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.net.RunFor(130 * time.Millisecond)
	f.Add(c.machine(1).ExportState(), byte(RecordBody), []byte{})
	for _, r := range c.net.Records(c.ids[1]) {
		f.Add([]byte{}, r.Kind, r.Data)
	}
	f.Fuzz(func(t *testing.T, state []byte, kind byte, data []byte) {
		cfg := c.config(c.ids[1])
		cfg.App = &ledger{}
		if len(state) == 0 {
			state = nil
		}
		m, err := Restore(cfg, state, slices.Values([]sm.Persist{{Kind: kind, Data: data}}))
		if err != nil {
			return
		}
		out := m.ExportState()
		cfg.App = &ledger{}
		again, err := Restore(cfg, out, nil)
		if err != nil {
			t.Fatalf("its own state is refused: %v", err)
		}
		if !bytes.Equal(again.ExportState(), out) {
			t.Fatal("the state changes")
		}
		m.Step(time.Unix(1, 0), Start{})
	})
}
