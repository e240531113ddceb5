package eds

import (
	"math/rand/v2"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/vrf"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/internal/testenv"
)

// TestLotteryChaos runs lotteries through every fault at once: IOS_SEEDS=1000 for
// a soak, IOS_SEED=17 IOS_SEEDS=1 to see one again. When it is over a leader
// succeeds, and all back it.
func TestLotteryChaos(t *testing.T) {
	first := testenv.Setting(t, "IOS_SEED", 1)
	for seed := first; seed < first+testenv.Setting(t, "IOS_SEEDS", 10); seed++ {
		lotteryChaos(t, seed)
	}
}

func lotteryChaos(t *testing.T, seed uint64) {
	n := 1 + int(seed%10)
	w := newWorld(t, n, seed, sim.Mix(seed))
	r := rand.New(rand.NewPCG(seed, 0x10))
	for k := range w.f {
		if i := (k*3 + int(seed)) % n; seed/10%2 == 0 {
			w.corrupt(i, seed)
		} else {
			w.lazy[i] = true
		}
	}
	for i := range w.ids {
		w.begin[i] = time.Duration(r.IntN(2000)) * time.Millisecond
	}
	down := 0 // of all, at any time
	if seed%3 != 0 {
		down = max(1, w.f)
	}
	real := w.lazy
	w.lazy = map[int]bool{} // nobody succeeds during the storm
	for i := range w.ids {
		w.lazy[i] = true
	}
	w.net.Unleash(sim.Chaos{Until: 15 * time.Second, Nodes: w.ids, Down: down, Every: 500 * time.Millisecond, Pause: time.Second}, testCalm)
	w.net.RunFor(15 * time.Second)
	w.lazy = real
	w.eventually(20 * time.Minute)
	if testing.Verbose() {
		t.Logf("seed %d: %d members, %d Byzantine, %d lazy; %s, %v after the storm, %d steps", seed, n, len(w.traits), len(w.lazy), w.won, w.net.Elapsed()-15*time.Second, w.net.Steps())
	}
	// All of one mind, if not in this round then in one to come.
	if !w.net.RunUntil(w.together, 20*time.Minute) {
		t.Fatalf("seed %d: they never back the same leader: %v", seed, w.net.Err())
	}
	w.ok()
}

// corrupt makes a member send what it should not: other tickets, other rounds,
// nothing, old things, and different things to each.
func (w *world) corrupt(i int, seed uint64) {
	w.traits[i] = true
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	var old []sm.Message
	proof := func(view uint64) (p vrf.Proof) {
		p, err := w.secrets[i].Prove(TicketInput(w.config.ChainID, w.config.Previous, w.config.Epoch, view))
		if err != nil {
			w.t.Fatal(err)
		}
		if r.IntN(4) == 0 {
			p[r.IntN(len(p))]++
		}
		return p
	}
	near := func(to sm.NodeID) uint64 { return w.top[to] + uint64(r.IntN(9)) - min(w.top[to], 4) }
	w.net.FilterOut(w.ids[i], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if old = append(old, msg); len(old) > 50 {
			old = old[1:]
		}
		switch r.IntN(6) {
		case 0:
			return nil
		case 1:
			return sim.Pass(to, old[r.IntN(len(old))])
		case 2:
			view := near(to) / Ranks
			return append(sim.Pass(to, msg), sim.Parcel{To: to, Msg: &Ticket{w.config.Epoch, view, r.IntN(2) == 0, proof(view)}})
		case 3:
			round := near(to)
			t := &Timeout{w.config.Epoch, round, w.ids[r.IntN(len(w.ids))], nil}
			for range r.IntN(Ranks + 1) {
				t.Best = append(t.Best, Shown{w.ids[r.IntN(len(w.ids))], proof(round / Ranks)})
			}
			return sim.Pass(to, t)
		case 4:
			return sim.Pass(to, &Timeout{w.config.Epoch, r.Uint64() >> r.IntN(64), chain.ValidatorID(r.IntN(1 << 16)), nil})
		}
		return sim.Pass(to, msg)
	})
}

func TestSameSeedSameLottery(t *testing.T) {
	run := func(seed uint64) [32]byte {
		w := newWorld(t, 5, 1, sim.Mix(9))
		w.net.Random().Uint64() // the worlds are made alike
		for range seed {
			w.net.Random().Uint64()
		}
		w.net.Unleash(sim.Chaos{Until: 3 * time.Second, Nodes: w.ids, Down: 2, Every: 300 * time.Millisecond, Pause: time.Second}, testCalm)
		w.net.RunFor(8 * time.Second)
		w.ok()
		return w.net.Hash()
	}
	if run(4) != run(4) {
		t.Error("two runs of one seed differ")
	}
	if run(4) == run(5) {
		t.Error("two seeds give one run")
	}
}
