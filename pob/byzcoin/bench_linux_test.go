package byzcoin

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/internal/sm"
	"ios/internal/testenv"
)

// bench runs machines without network, disk and codec.
type bench struct {
	machines []*Machine
	byID     map[sm.NodeID]*Machine
	ids      []sm.NodeID
	now      time.Time
	queue    []event
	final    int
}

type event struct {
	to sm.NodeID
	ev sm.Event
}

// constant is an application that costs nothing.
type constant struct{}

func (constant) Execute(*chain.Header, []*chain.Body) chain.Hash { return chain.Hash{1} }
func (constant) Revert()                                         {}
func (constant) Finalize(*chain.Block)                           {}
func (constant) Next() chain.Term                                { return chain.Term{Epoch: 7, Batch: 1} }

func newBench(b *testing.B, size int, scheme cosi.Scheme) *bench {
	c := newCluster(b, size, options{seed: 1, scheme: scheme})
	x := &bench{byID: map[sm.NodeID]*Machine{}, ids: c.ids, now: time.Unix(1000, 0)}
	for _, id := range c.ids {
		cfg := c.config(id)
		cfg.App = constant{}
		m, err := New(cfg)
		must(b, err)
		x.machines, x.byID[id] = append(x.machines, m), m
	}
	for _, id := range x.ids {
		x.step(id, Start{})
	}
	x.drain()
	return x
}

func (x *bench) step(id sm.NodeID, ev sm.Event) {
	for _, e := range x.byID[id].Step(x.now, ev) {
		switch e := e.(type) {
		case sm.Send:
			for _, to := range e.To {
				x.queue = append(x.queue, event{to, sm.Receive{From: id, Msg: e.Msg}})
			}
		case Check:
			x.queue = append(x.queue, event{id, Checked{Hash: e.Body.Hash}})
		case sm.Deliver:
			if _, ok := e.Value.(Final); ok {
				x.final++
			}
		}
	}
}

func (x *bench) drain() {
	for len(x.queue) > 0 {
		e := x.queue[0]
		x.queue = x.queue[1:]
		x.step(e.to, e.ev)
	}
}

// block has every author put up a body, and everybody make the block final.
func (x *bench) block(b *testing.B, authors int, payload []byte) {
	want := x.final + len(x.ids)
	for _, id := range x.ids[:authors] {
		x.step(id, Author{Payload: payload})
	}
	x.drain()
	for x.final < want {
		x.now = x.now.Add(20 * time.Millisecond)
		x.step(x.ids[0], sm.Fire{Key: sm.TimerKey{Kind: timerPropose}})
		x.drain()
	}
}

// BenchmarkBlock is the CPU of a block with 4 bodies of 256 kB: hashing and
// signing each body at its author, checking its signature at the others, and
// the votes. "free" is with collective signatures that cost next to nothing:
// the bodies, and what the machine adds.
func BenchmarkBlock(b *testing.B) {
	payload := bytes.Repeat([]byte{7}, 256<<10)
	for name, scheme := range map[string]cosi.Scheme{"bls": cosi.BLS{}, "free": cositest.New("bench")} {
		for _, size := range []int{4, 16} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				x := newBench(b, size, scheme)
				x.block(b, 1, payload)
				blocks := x.machines[0].height
				b.ReportAllocs()
				b.ResetTimer()
				start := testenv.CPU(b)
				for range b.N {
					x.block(b, 4, payload)
				}
				b.ReportMetric(float64((testenv.CPU(b)-start).Microseconds())/float64(x.machines[0].height-blocks)/float64(size), "cpu-µs/block/member")
				b.ReportMetric(float64(x.machines[0].height-blocks)/float64(b.N), "blocks/op")
			})
		}
	}
}
