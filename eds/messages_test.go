package eds

import (
	"bytes"
	"testing"
	"time"

	"ios/chain/vrf"
	"ios/internal/sm"
)

func samples() []sm.Message {
	return []sm.Message{
		&Ticket{}, &Ticket{7, 3, true, vrf.Proof{1, 79: 2}}, &Timeout{7, 4, Nobody, nil}, &Timeout{7, 4, 3, []Shown{{1, vrf.Proof{9}}}},
		&Timeout{1 << 63, 1<<64 - 1, 0, []Shown{{1, vrf.Proof{9}}, {2, vrf.Proof{8}}, {65535, vrf.Proof{}}}},
	}
}

func TestMessagesDecodeToThemselves(t *testing.T) {
	for _, msg := range samples() {
		raw := msg.AppendTo(nil)
		back, err := Decode(raw)
		if err != nil || !bytes.Equal(back.AppendTo(nil), raw) {
			t.Errorf("%T changes: %v", msg, err)
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
	odd := (&Ticket{}).AppendTo(nil)
	odd[17] = 2
	if _, err := Decode(odd); err == nil {
		t.Error("a flag of 2 is accepted")
	}
	long := &Timeout{Best: make([]Shown, Ranks+1)}
	if _, err := Decode(long.AppendTo(nil)); err == nil {
		t.Error("more tickets than lead are accepted")
	}
	for kind := range 256 {
		if _, err := Decode([]byte{byte(kind)}); err == nil {
			t.Errorf("kind %d alone is accepted", kind)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, msg := range samples() {
		f.Add(msg.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := Decode(raw)
		if err == nil && !bytes.Equal(msg.AppendTo(nil), raw) {
			t.Fatalf("%T encodes to other bytes", msg)
		}
	})
}

// FuzzReceive feeds messages to a machine in the middle of its work.
func FuzzReceive(f *testing.F) {
	for i, msg := range samples() {
		f.Add(byte(i), msg.AppendTo(nil), byte(i), msg.AppendTo(nil))
	}
	w := newWorld(f, 4, 1, testCalm)
	f.Fuzz(func(t *testing.T, from1 byte, raw1 []byte, from2 byte, raw2 []byte) {
		m := w.machine(0)
		now := time.Unix(1, 0)
		m.Step(now, Begin{})
		now = now.Add(m.wait())
		m.Step(now, sm.Fire{Key: sm.TimerKey{Kind: timerChoice}})
		feed := func(from byte, raw []byte) {
			msg, err := Decode(raw)
			if err != nil {
				return
			}
			for _, e := range m.Step(now, sm.Receive{From: w.ids[from%4], Msg: msg}) {
				if s, ok := e.(sm.Send); ok {
					if _, err := Decode(s.Msg.AppendTo(nil)); err != nil {
						t.Fatalf("it answers %T with a %T that does not decode: %v", msg, s.Msg, err)
					}
				}
			}
		}
		feed(from1, raw1)
		feed(from2, raw2)
		for kind := range timerKinds {
			now = now.Add(time.Minute)
			m.Step(now, sm.Fire{Key: sm.TimerKey{Kind: kind}})
		}
		if m.count > m.f {
			t.Fatalf("%d are excluded", m.count)
		}
	})
}
