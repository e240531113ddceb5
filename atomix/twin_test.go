package atomix

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/chain/utxo"
)

// twin is a shard's ledger written down as the rules are, slow and without undo,
// proofs or counters: what the others said comes as (shard, transaction, answer).
type twin struct {
	shard  chain.ShardID
	shards int
	coins  map[chain.OutPoint]utxo.Coin
	said   map[chain.TxID]chain.Outcome          // the own answer, for ever
	heard  map[chain.TxID]map[chain.ShardID]bool // who said yes
	end    map[chain.TxID]chain.Outcome          // how it was closed
	fees   uint64
	log    []chain.Entry // every outcome, in order
}

func newTwin(w *world, s chain.ShardID) *twin {
	t := &twin{shard: s, shards: w.params.Shards, coins: map[chain.OutPoint]utxo.Coin{}, said: map[chain.TxID]chain.Outcome{},
		heard: map[chain.TxID]map[chain.ShardID]bool{}, end: map[chain.TxID]chain.Outcome{}}
	for _, c := range w.coins {
		if t.mine(c.owner.addr) {
			t.coins[c.OutPoint] = utxo.Coin{Owner: c.owner.addr, Amount: c.amount}
		}
	}
	return t
}

func (t *twin) mine(a chain.Address) bool { return a.Shard(t.shards) == t.shard }

func (t *twin) involved(x *chain.Tx) map[chain.ShardID]bool {
	set := map[chain.ShardID]bool{}
	for _, in := range x.Inputs {
		set[in.Owner.Shard(t.shards)] = true
	}
	for _, o := range x.Outputs {
		set[o.Owner.Shard(t.shards)] = true
	}
	return set
}

func (t *twin) holdsInput(x *chain.Tx) bool {
	return slices.ContainsFunc(x.Inputs, func(in chain.Input) bool { return t.mine(in.Owner) })
}

func (t *twin) inputsThere(x *chain.Tx) bool {
	for _, in := range x.Inputs {
		if t.mine(in.Owner) && t.coins[in.OutPoint] != (utxo.Coin{Owner: in.Owner, Amount: in.Amount}) {
			return false
		}
	}
	return true
}

func (t *twin) spend(x *chain.Tx) {
	for _, in := range x.Inputs {
		if t.mine(in.Owner) {
			delete(t.coins, in.OutPoint)
		}
	}
}

func (t *twin) refund(x *chain.Tx) {
	for _, in := range x.Inputs {
		if t.mine(in.Owner) {
			t.coins[in.OutPoint] = utxo.Coin{Owner: in.Owner, Amount: in.Amount}
		}
	}
}

func (t *twin) pay(x *chain.Tx) {
	var fee uint64
	least := x.Inputs[0]
	for _, in := range x.Inputs {
		fee += in.Amount
		if in.OutPoint.Compare(least.OutPoint) < 0 {
			least = in
		}
	}
	for i, o := range x.Outputs {
		fee -= o.Amount
		if t.mine(o.Owner) {
			t.coins[chain.OutPoint{Tx: x.ID, Index: uint32(i)}] = utxo.Coin{Owner: o.Owner, Amount: o.Amount}
		}
	}
	if t.mine(least.Owner) {
		t.fees += fee
	}
}

func (t *twin) note(x *chain.Tx, o chain.Outcome) {
	t.log = append(t.log, chain.Entry{ID: x.ID, Outcome: o})
}

// offer is a client's transaction.
func (t *twin) offer(x *chain.Tx) {
	if t.said[x.ID] != 0 || !t.holdsInput(x) || !t.inputsThere(x) {
		return
	}
	t.spend(x)
	if len(t.involved(x)) == 1 {
		t.pay(x)
		t.note(x, chain.Committed)
		return
	}
	t.said[x.ID], t.heard[x.ID] = chain.Accepted, map[chain.ShardID]bool{t.shard: true}
	t.note(x, chain.Accepted)
}

// hear is another shard's answer.
func (t *twin) hear(from chain.ShardID, x *chain.Tx, o chain.Outcome) {
	if t.end[x.ID] != 0 {
		return
	}
	fresh := t.said[x.ID] == 0
	if fresh {
		if o != chain.Accepted {
			return
		}
		if !t.inputsThere(x) {
			t.said[x.ID], t.end[x.ID] = chain.Rejected, chain.Rejected
			t.note(x, chain.Rejected)
			return
		}
		t.spend(x)
		t.said[x.ID], t.heard[x.ID] = chain.Accepted, map[chain.ShardID]bool{t.shard: true}
	}
	if o == chain.Rejected || o == chain.Aborted {
		t.refund(x)
		t.end[x.ID] = chain.Aborted
		t.note(x, chain.Aborted)
		return
	}
	t.heard[x.ID][from] = true
	all := o == chain.Committed || maps.Equal(t.heard[x.ID], t.involved(x))
	if fresh && !all {
		t.note(x, chain.Accepted)
	}
	if all {
		t.pay(x)
		t.end[x.ID] = chain.Committed
		t.note(x, chain.Committed)
	}
}

// outcome is what Status should say.
func (t *twin) outcome(id chain.TxID) chain.Outcome {
	if o := t.end[id]; o != 0 {
		return o
	}
	return t.said[id]
}

// compare wants ledger and twin to be alike.
func (l *ledger) compare(t *twin, txs []*chain.Tx) {
	l.w.Helper()
	coins := map[chain.OutPoint]utxo.Coin{}
	for e := range l.state.Coins().Sorted() {
		coins[e.OutPoint] = e.Coin
	}
	if !maps.Equal(coins, t.coins) {
		l.w.Fatalf("shard %d has the coins %v, the twin %v", l.id, coins, t.coins)
	}
	if got := l.state.Supply().Fees; got != t.fees {
		l.w.Fatalf("shard %d has fees of %d, the twin %d", l.id, got, t.fees)
	}
	for _, x := range txs {
		l.expect(x.ID, t.outcome(x.ID))
	}
}

// A random set of conflicting transfers over several shards; blocks of random
// transactions and of random proofs, old ones and the same ones again, in any
// order and with any loss. The ledgers do what their twins do; when all proofs
// have arrived, every transfer is committed everywhere or nowhere.
func TestLedgersAreTheirNaiveTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.SampledFrom([]int{2, 4, 8}).Draw(t, "shards"), 100, 100)
		var twins []*twin
		for _, l := range w.shards {
			twins = append(twins, newTwin(w, l.id))
		}
		txs := drawTransfers(t, w)
		w.probes = txs
		told := func(from *ledger, to chain.ShardID) (ids []chain.TxID) {
			for _, x := range txs {
				if from.told(x.ID, to) != nil {
					ids = append(ids, x.ID)
				}
			}
			return ids
		}
		known := map[chain.TxID]*chain.Tx{}
		for _, x := range txs {
			known[x.ID] = x
		}
		hear := func(l *ledger, b *chain.Bundle, shown bool) {
			if !shown {
				b.Txs = nil
			}
			with := map[chain.TxID]bool{}
			for i := range b.Txs {
				with[b.Txs[i].ID] = true
			}
			for _, e := range b.Segment.Entries {
				if tw := twins[l.id]; tw.said[e.ID] != 0 || with[e.ID] {
					tw.hear(b.Header.Shard, known[e.ID], e.Outcome)
				}
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "blocks") {
			l := rapid.SampledFrom(w.shards).Draw(t, "shard")
			var offers []*chain.Tx
			var bundles []*chain.Bundle
			tw := twins[l.id]
			tw.log = nil
			for range rapid.IntRange(0, 3).Draw(t, "offers") {
				x := rapid.SampledFrom(txs).Draw(t, "tx")
				if tw.holdsInput(x) {
					offers = append(offers, x)
					tw.offer(x)
				}
			}
			for range rapid.IntRange(0, 3).Draw(t, "bundles") {
				from := rapid.SampledFrom(w.shards).Draw(t, "from")
				if ids := told(from, l.id); from != l && len(ids) > 0 {
					b := from.told(rapid.SampledFrom(ids).Draw(t, "proof"), l.id)
					hear(l, b, rapid.Bool().Draw(t, "shown"))
					bundles = append(bundles, b)
				}
			}
			f, err := l.try(offers, bundles)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.report.Outcomes, tw.log) {
				t.Fatalf("shard %d recorded %v, the twin %v", l.id, f.report.Outcomes, tw.log)
			}
			l.compare(tw, txs)
		}
		// Everything arrives in the end.
		for round, open := 0, true; open; round++ {
			if open = false; round > 10 {
				t.Fatal("all proofs were shown ten times and transfers are still open")
			}
			for _, l := range w.shards {
				for _, from := range w.shards {
					for _, id := range told(from, l.id) {
						if from == l {
							continue
						}
						b := from.told(id, l.id)
						hear(l, b, true)
						l.carry(b)
						l.compare(twins[l.id], txs)
					}
				}
				open = open || l.state.Supply().Open > 0
			}
		}
		w.agree(txs...)
	})
}

// told is like bundle, or nil.
func (l *ledger) told(id chain.TxID, dest chain.ShardID) *chain.Bundle {
	for _, f := range l.finals {
		if b := f.bundle(id, dest); b != nil {
			return b
		}
	}
	return nil
}

// drawTransfers makes transfers that compete for the genesis coins, and some that
// spend what others give.
func drawTransfers(t *rapid.T, w *world) (txs []*chain.Tx) {
	pool := slices.Clone(w.coins)
	for range rapid.IntRange(1, 8).Draw(t, "transfers") {
		var spend []coin
		var in uint64
		for range rapid.IntRange(1, 3).Draw(t, "inputs") {
			c := rapid.SampledFrom(pool).Draw(t, "coin")
			if !slices.ContainsFunc(spend, func(o coin) bool { return o.OutPoint == c.OutPoint }) {
				if rapid.IntRange(0, 9).Draw(t, "lie") == 0 {
					c.amount++
				}
				spend, in = append(spend, c), in+c.amount
			}
		}
		var outs []pay
		in -= uint64(rapid.IntRange(1, 5).Draw(t, "fee"))
		for n := rapid.IntRange(1, 3).Draw(t, "outputs"); n > 0 && in > uint64(n); n-- {
			amount := in / uint64(n)
			in -= amount
			outs = append(outs, pay{w.wallet(chain.ShardID(rapid.IntRange(0, w.params.Shards-1).Draw(t, "to"))), amount})
		}
		if len(outs) == 0 {
			continue
		}
		x := w.tx(spend, outs...)
		txs = append(txs, x)
		for i := range outs {
			pool = append(pool, out(x, uint32(i), outs[i].to))
		}
	}
	if txs == nil {
		c := w.coins[0]
		txs = append(txs, w.tx([]coin{c}, pay{w.wallet(0), 50}))
	}
	return txs
}
