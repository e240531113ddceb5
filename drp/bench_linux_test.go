package drp

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/internal/sm"
	"ios/internal/testenv"
)

// What a run costs all servers together, in one process: dealing, the choice, two
// rounds of votes with their certificates checked by everybody, shares, and the
// transcript. Every message is encoded and decoded. The targets, per run:
//
//	64 servers in groups of 8:    0.7 s of CPU, verified in 0.06 s, 60 kB
//	64 servers in groups of 16:   1.2 s of CPU, verified in 0.1 s
//	512 servers in groups of 32:  16 s of CPU, verified in 0.6 s, 0.9 MB
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct{ n, size int }{{64, 8}, {64, 16}, {512, 32}} {
		b.Run(fmt.Sprintf("%d servers in groups of %d", c.n, c.size), func(b *testing.B) {
			h := newHall(b, c.n, c.size)
			var raw []byte
			cpu := testenv.CPU(b)
			for b.Loop() {
				raw = h.run(b)
			}
			b.ReportMetric((testenv.CPU(b)-cpu).Seconds()/float64(b.N), "cpu-s/run")
			b.ReportMetric(float64(len(raw)), "transcript-bytes")
			cpu = testenv.CPU(b)
			const times = 3
			for range times {
				if _, err := Verify(h.cfg, raw); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((testenv.CPU(b)-cpu).Seconds()/times, "verify-cpu-s")
		})
	}
}

// hall is all servers in one process, with their cosi keys, under the committee's
// certificates as sign-offs.
type hall struct {
	cfg       *Config
	keys      []Keys
	committee *cosi.Committee
	secrets   []cosi.Secret
}

func newHall(b *testing.B, n, size int) *hall {
	h := &hall{}
	h.cfg, h.keys = newConfig(n, size, 1)
	var keys []cosi.PublicKey
	for i := range n {
		h.secrets = append(h.secrets, cositest.Secret(i))
		keys = append(keys, must(cosi.BLS{}.Public(h.secrets[i])))
	}
	h.committee = must(cosi.BLS{}.NewCommittee(keys))
	h.cfg.VerifySignOff = func(view uint64, choice chain.Hash, signOff []byte) error {
		var c cosi.Certificate
		if k, err := c.Decode(signOff); err != nil || k != len(signOff) {
			return errors.New("no certificate")
		}
		return h.committee.Verify(h.message("commit", view, choice), c)
	}
	return h
}

func (h *hall) message(phase string, view uint64, choice chain.Hash) []byte {
	return append([]byte(phase), ballot(h.cfg, view, choice)...)
}

// all does something for every server, on all cores.
func (h *hall) all(do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int, len(h.keys))
	for i := range h.keys {
		next <- i
	}
	close(next)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	wg.Wait()
}

// certify has all servers sign a phase and check the certificate.
func (h *hall) certify(b *testing.B, msg []byte) []byte {
	shares := make([]cosi.Signature, len(h.keys))
	h.all(func(i int) { shares[i] = must(cosi.BLS{}.Sign(h.secrets[i], msg)) })
	collector := cosi.NewCollector(h.committee, msg)
	for i, s := range shares[:h.committee.Quorum()] {
		if err := collector.AddShare(i, s); err != nil {
			b.Fatal(err)
		}
	}
	cert, culprits, err := collector.Certificate()
	if err != nil || len(culprits) > 0 {
		b.Fatal(err)
	}
	h.all(func(int) {
		if err := h.committee.Verify(msg, cert); err != nil {
			b.Error(err)
		}
	})
	return cert.AppendTo(nil)
}

// run makes one transcript.
func (h *hall) run(b *testing.B) []byte {
	n := len(h.keys)
	machines := make([]*Machine, n)
	effects := make([][]sm.Effect, n)
	now := now0
	h.all(func(i int) {
		machines[i] = must(NewServer(h.cfg, h.keys[i], nil))
		effects[i] = machines[i].Step(now, Begin{})
	})
	var propose *Propose
	var result *Result
	// pass carries messages until none is under way.
	pass := func() {
		for {
			inbox := make([][]sm.Event, n)
			busy := false
			for i := range effects {
				for _, e := range effects[i] {
					switch e := e.(type) {
					case sm.Send:
						raw := e.Msg.AppendTo(nil)
						for _, to := range e.To {
							k := h.cfg.find(to)
							inbox[k] = append(inbox[k], sm.Receive{From: h.keys[i].Self, Msg: must(Decode(raw))})
							busy = true
						}
					case sm.Deliver:
						switch v := e.Value.(type) {
						case Propose:
							propose = &v
						case Result:
							result = &v
						case Refused:
							b.Fatal(v.Err)
						}
					}
				}
				effects[i] = nil
			}
			if !busy {
				return
			}
			h.all(func(i int) {
				for _, ev := range inbox[i] {
					effects[i] = append(effects[i], machines[i].Step(now, ev)...)
				}
			})
		}
	}
	pass()
	effects[0] = machines[0].Step(now, Lead{})
	pass()
	checked := make([]*Choice, n)
	h.all(func(i int) {
		var err error
		checked[i], err = CheckChoice(h.cfg, propose.Choice, h.keys[i].Self)
		if err != nil || checked[i].Hash() != propose.Hash {
			b.Error(err)
		}
	})
	h.certify(b, h.message("prepare", 0, propose.Hash))
	signOff := h.certify(b, h.message("commit", 0, propose.Hash))
	h.all(func(i int) { effects[i] = machines[i].Step(now, Decided{propose.Choice, signOff, checked[i]}) })
	pass()
	effects[0] = machines[0].Step(now, Collect{})
	pass()
	if result == nil {
		b.Fatal("no output")
	}
	return result.Transcript
}
