package atomix

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/utxo"
)

// manyCoins is a ledger of shard 0 of two with n coins in it, and payloads that
// spend txs of them, 1,000 in a body, each with two outputs: to the shards that
// outs gives. Witnesses are there and sign nothing: the state does not look.
func manyCoins(n, txs int, outs [2]chain.ShardID) (*State, []*chain.Body) {
	p := chain.NewParams(chain.Hash{1}, chain.PrefixTest, 2, 1)
	s := NewState(p, 0, [16]byte{1})
	src := rand.NewChaCha8([32]byte{1})
	address := func(shard chain.ShardID) (a chain.Address) {
		src.Read(a[:])
		a[0] = a[0]&0x7f | byte(shard)<<7
		return a
	}
	var bodies []*chain.Body
	var raws [][]byte
	for i := range n {
		op := chain.OutPoint{Index: uint32(i)}
		binary.BigEndian.PutUint64(op.Tx[:], src.Uint64())
		owner := address(0)
		s.coins.Add(op, utxo.Coin{Owner: owner, Amount: 100})
		s.base += 100
		if i >= txs {
			continue
		}
		t := &chain.Tx{
			Expiry: 1, Inputs: []chain.Input{{OutPoint: op, Owner: owner, Amount: 100}}, Witnesses: make([]chain.Witness, 1),
			Outputs: []chain.Output{{Owner: address(outs[0]), Amount: 50}, {Owner: address(outs[1]), Amount: 49}},
		}
		p.Seal(t)
		if raws = append(raws, t.Raw); len(raws) == 1000 || i == txs-1 {
			pl, err := p.DecodePayload(chain.PayloadOf(raws, nil))
			if err != nil {
				panic(err)
			}
			bodies, raws = append(bodies, &chain.Body{Content: pl}), nil
		}
	}
	s.sums.value = s.base
	return s, bodies
}

// A block of 10,000 transactions at a million coins, executed and taken back.
func BenchmarkExecute(b *testing.B) {
	const coins, txs = 1_000_000, 10_000
	for _, c := range []struct {
		name string
		outs [2]chain.ShardID
	}{{"local", [2]chain.ShardID{0, 0}}, {"cross", [2]chain.ShardID{1, 0}}} {
		b.Run(fmt.Sprintf("%s/%d", c.name, txs), func(b *testing.B) {
			s, bodies := manyCoins(coins, txs, c.outs)
			h := &chain.Header{Epoch: 1, Height: 1}
			b.ReportAllocs()
			var execute, revert time.Duration
			for b.Loop() {
				start := time.Now()
				s.Execute(h, bodies)
				mid := time.Now()
				if len(s.Report().Skipped) > 0 {
					b.Fatal("transactions were skipped")
				}
				s.Revert()
				execute, revert = execute+mid.Sub(start), revert+time.Since(mid)
			}
			b.ReportMetric(float64(execute.Nanoseconds())/float64(b.N*txs), "ns/tx")
			b.ReportMetric(float64(revert.Nanoseconds())/float64(b.N*txs), "ns/undo")
		})
	}
}

// Executing takes no memory for a transaction, but for one piece that stays while
// it is open across shards.
func TestExecutionAllocatesOnceForWhatStaysOpen(t *testing.T) {
	for most, outs := range map[float64][2]chain.ShardID{500: {0, 0}, 10_500: {1, 1}} {
		s, bodies := manyCoins(20_000, 10_000, outs)
		h := &chain.Header{Epoch: 1, Height: 1}
		s.Execute(h, bodies)
		if allocs := testing.AllocsPerRun(3, func() { s.Execute(h, bodies) }); allocs > most {
			t.Errorf("%v allocations for 10,000 transactions to shards %v", allocs, outs)
		}
	}
}
