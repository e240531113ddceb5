package atomix

import (
	"runtime"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/testenv"
)

// bundlesFor are the bundles of what s has just executed for another shard, as
// that shard decodes them, in bodies of up to 2,000 transactions.
func bundlesFor(s *State, dest chain.ShardID, of map[chain.TxID]*chain.Tx) (bodies []*chain.Body) {
	r := s.Report()
	block := &chain.Block{Header: chain.Header{Chain: s.params.ChainID, Shard: s.shard, Epoch: r.Epoch, Height: r.Height, Outcomes: r.Hashes.Root()}}
	block.Cert.Mask, block.Cert.Phase = cosi.NewMask(4), chain.Commit
	var raws [][]byte
	for i := range r.Tree {
		if r.Tree[i].Dest != dest {
			continue
		}
		b := bundleAt(block, r.Tree, r.Hashes, i)
		for _, e := range b.Segment.Entries {
			if t := of[e.ID]; t != nil {
				b.Txs = append(b.Txs, *t)
			}
		}
		raws = append(raws, b.Encode())
	}
	for len(raws) > 0 {
		n := min(len(raws), 4)
		pl, err := s.params.DecodePayload(chain.PayloadOf(nil, raws[:n]))
		if err != nil {
			panic(err)
		}
		bodies, raws = append(bodies, &chain.Body{Content: pl}), raws[n:]
	}
	return bodies
}

// The three blocks of 10,000 transfers from shard 0 to shard 1, each executed and
// taken back: shard 0 locks, shard 1 commits and credits, shard 0 commits.
func BenchmarkTransfer(b *testing.B) {
	const txs = 10_000
	s0, lock := manyCoins(100_000, txs, [2]chain.ShardID{1, 1})
	s1, _ := manyCoins(0, 0, [2]chain.ShardID{})
	s1.shard = 1
	of := make(map[chain.TxID]*chain.Tx)
	for _, body := range lock {
		pl := body.Content.(*chain.Payload)
		for i := range pl.Txs {
			of[pl.Txs[i].ID] = &pl.Txs[i]
		}
	}
	h := func(height uint64) *chain.Header { return &chain.Header{Epoch: 1, Height: height} }
	s0.Execute(h(1), lock)
	credit := bundlesFor(s0, 1, of)
	s1.Execute(h(1), credit)
	close := bundlesFor(s1, 0, nil)
	s0.Revert()
	s1.Revert()
	run := func(name string, s *State, height uint64, bodies []*chain.Body, count func(*Report) int) {
		b.Run(name, func(b *testing.B) {
			var execute time.Duration
			var before, after runtime.MemStats
			var mallocs, bytes uint64
			for b.Loop() {
				runtime.ReadMemStats(&before)
				start := testenv.CPU(b)
				s.Execute(h(height), bodies)
				execute += testenv.CPU(b) - start
				runtime.ReadMemStats(&after)
				mallocs, bytes = mallocs+after.Mallocs-before.Mallocs, bytes+after.TotalAlloc-before.TotalAlloc
				if n := count(s.Report()); n != txs {
					b.Fatalf("%d transactions; ignored %v", n, s.Report().Ignored)
				}
				s.Revert()
			}
			per := float64(b.N * txs)
			b.ReportMetric(float64(execute.Nanoseconds())/per, "cpu-ns/tx")
			b.ReportMetric(float64(mallocs)/per, "allocs/tx")
			b.ReportMetric(float64(bytes)/per, "B/tx")
		})
	}
	run("lock", s0, 1, lock, func(r *Report) int { return len(r.Opened) })
	run("credit", s1, 1, credit, func(r *Report) int { return len(r.Closed) })
	s0.Execute(h(1), lock)
	s0.Finalize(&chain.Block{Header: *h(1)})
	run("commit", s0, 2, close, func(r *Report) int { return len(r.Closed) })
}
