package onetnet

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ios/internal/sm"
	"ios/internal/testenv"
)

// BenchmarkSend measures one direction between two validators in one process.
// The CPU is that of both ends.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{200, 300_000, 5 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			nodes := mesh(b, 2)
			var got atomic.Int64
			arrived := make(chan struct{}, 1)
			nodes[1].cfg.Handler = func(sm.NodeID, []byte) {
				got.Add(1)
				select {
				case arrived <- struct{}{}:
				default:
				}
			}
			for _, nd := range nodes {
				nd.start(b)
			}
			m := numbered(0, size)
			// Stay within the queue: what is measured is delivery, not loss.
			window := int64(min(8192, max(4, (16<<20)/size)))
			b.SetBytes(int64(size))
			before := testenv.CPU(b)
			b.ResetTimer()
			for i := range int64(b.N) {
				for i-got.Load() >= window {
					<-arrived
				}
				nodes[0].Send(1, m)
			}
			for got.Load() < int64(b.N) {
				<-arrived
			}
			b.StopTimer()
			cpu := testenv.CPU(b) - before
			b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
}

// BenchmarkRoundTrip measures a small message there and back, alone.
func BenchmarkRoundTrip(b *testing.B) {
	nodes := mesh(b, 2)
	back := make(chan struct{}, 1)
	nodes[0].cfg.Handler = func(sm.NodeID, []byte) { back <- struct{}{} }
	nodes[1].cfg.Handler = func(from sm.NodeID, m []byte) { nodes[1].Send(from, m) }
	for _, nd := range nodes {
		nd.start(b)
	}
	m := numbered(0, 200)
	nodes[0].Send(1, m)
	<-back
	before := testenv.CPU(b)
	b.ResetTimer()
	for range b.N {
		nodes[0].Send(1, m)
		<-back
	}
	b.StopTimer()
	b.ReportMetric(float64((testenv.CPU(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}

// BenchmarkIdleMesh holds a full mesh of eight validators idle for two seconds
// and reports the share of one core that its heartbeats take.
func BenchmarkIdleMesh(b *testing.B) {
	nodes := mesh(b, 8)
	for _, nd := range nodes {
		nd.cfg.RedialMin, nd.cfg.RedialMax = 0, 0
		nd.start(b)
	}
	for _, nd := range nodes {
		for len(nd.connected()) < 7 {
			time.Sleep(time.Millisecond)
		}
	}
	before, start := testenv.CPU(b), time.Now()
	b.ResetTimer()
	for range b.N {
		time.Sleep(2 * time.Second)
	}
	b.StopTimer()
	b.ReportMetric(100*float64(testenv.CPU(b)-before)/float64(time.Since(start)), "%core")
	b.ReportMetric(0, "ns/op")
}

// connected returns the peers with which there is a connection.
func (nd *node) connected() (ids []sm.NodeID) {
	for _, s := range nd.Stats() {
		if s.Connected {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
