package drp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/drp/pvss"
	"ios/internal/sim"
	"ios/internal/sm"
)

// Any collector has the same output, from its own transcript.
func TestOneRunOneOutput(t *testing.T) {
	for _, c := range []struct{ n, size int }{{1, 1}, {4, 4}, {7, 4}, {16, 4}, {24, 8}, {29, 9}} {
		t.Run(fmt.Sprintf("%d servers", c.n), func(t *testing.T) {
			w := newWorld(t, c.n, c.size, uint64(c.n), calm)
			w.begin(0)
			w.lead(c.n / 2)
			w.untilDecided()
			w.collect(0)
			a := w.untilResult(0)
			w.collect(c.n - 1)
			b := w.untilResult(c.n - 1)
			w.noRefusals()
			if a.Random.IsZero() || a.Random != b.Random || len(a.Zero) > 0 {
				t.Errorf("outputs %v and %v, zero: %v", a.Random, b.Random, a.Zero)
			}
			if c.n > 4 && string(a.Transcript) == string(b.Transcript) {
				t.Error("both transcripts have the same shares: nothing shows that the subset does not matter")
			}
		})
	}
}

// A run under each mix of network faults, with up to f servers of every vice and
// with crashes, still ends, and nobody honest is accused.
func TestFaultyServers(t *testing.T) {
	const n, f = 13, 4
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, n, n, seed, sim.Mix(seed))
			r := w.net.Random()
			bad := map[int]string{}
			for _, i := range r.Perm(n)[:f] {
				name := viceNames[r.IntN(len(viceNames))]
				bad[i] = name
				w.corrupt(i, name)
			}
			leader, collector := r.IntN(n), r.IntN(n)
			for bad[leader] != "" {
				leader = (leader + 1) % n
			}
			for bad[collector] != "" {
				collector = (collector + 1) % n
			}
			w.begin(0)
			w.lead(leader)
			w.untilDecided()
			w.collect(collector)
			res := w.untilResult(collector)
			w.noRefusals()
			for _, id := range res.Zero {
				t.Errorf("%d counts as zero", id)
			}
			for _, e := range w.evidence {
				culprit := must(e.Verify(w.cfg))
				if bad[w.cfg.find(culprit)] != "equivocates" {
					t.Errorf("server %d is accused", culprit)
				}
			}
			c := must(DecodeChoice(w.decided.Choice))
			for _, d := range c.Dealings {
				if v := bad[w.cfg.find(d.Dealer)]; v == "silent" || v == "garbage" || v == "deals to itself" {
					t.Errorf("the dealing of server %d, which is %q, was chosen", d.Dealer, v)
				}
			}
		})
	}
}

var viceNames = []string{"silent", "late", "garbage", "deals to itself", "equivocates", "opens garbage"}

// corrupt gives a server a vice: what it sends is changed.
func (w *world) corrupt(i int, vice string) {
	l := must(newRun(w.cfg)).layout(w.view)
	st := l.seats[i]
	first := map[sm.NodeID]bool{}
	w.net.FilterOut(idOf(i), func(now time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		d, dealing := msg.(*Deal)
		o, opening := msg.(*Open)
		switch vice {
		case "silent":
			return nil
		case "late":
			if now.Sub(sim.Start) < 2*time.Second {
				return nil
			}
		case "garbage":
			if dealing {
				// A dealing that is signed and whose shares are points of nothing.
				x := must(DecodeDealing(d.Raw))
				shares := slices.Clone(x.Shares)
				copy(shares[len(shares)/2:], shares[:64])
				y := signDealing(l.run, x.View, x.Group, x.Dealer, shares, len(l.groups[st.group]), w.keys[i].Signing)
				return sim.Pass(to, &Deal{d.Epoch, y.Raw})
			}
		case "deals to itself":
			if dealing {
				return sim.Pass(to, &Deal{d.Epoch, w.dealToSelf(l, i).Raw})
			}
		case "equivocates":
			if dealing {
				other := must(newDealing(l, i, &w.keys[i]))
				parcels := sim.Pass(to, msg)
				if !first[to] {
					first[to] = true
					parcels = append(parcels, sim.Parcel{To: to, Msg: &Deal{d.Epoch, other.Raw}})
				}
				return parcels
			}
		case "opens garbage":
			if opening {
				shares := slices.Clone(o.Shares)
				copy(shares, shares[32:64])
				return sim.Pass(to, &Open{o.Epoch, o.Choice, shares})
			}
		}
		return sim.Pass(to, msg)
	})
}

// dealToSelf makes a dealing all of whose shares are encrypted to keys of the
// dealer's, so that it alone could open it.
func (w *world) dealToSelf(l *layout, i int) *Dealing {
	st := l.seats[i]
	c := len(l.groups[st.group])
	var mine []pvss.PublicKey
	for j := range c {
		s := seedOf(99, uint64(j))
		mine = append(mine, must(must(pvss.SecretFromSeed(s[:])).Public()))
	}
	shares := must(pvss.Deal(l.context(st.group, idOf(i)), must(pvss.ParseReceivers(mine)), w.keys[i].Secret, w.keys[i].Random))
	return signDealing(l.run, l.view, uint16(st.group), idOf(i), shares, c, w.keys[i].Signing)
}

// More servers than a group can do without stay silent after the sign-off: the
// run does not end, and exactly they are named.
func TestAGroupThatWithholdsIsNamed(t *testing.T) {
	w := newWorld(t, 24, 8, 3, calm)
	groups := Groups(w.cfg, 0)
	w.begin(0)
	w.lead(w.cfg.find(groups[1][0]))
	w.untilDecided()
	withheld := groups[2][:8-pvss.Threshold(8)+1]
	for _, id := range withheld {
		w.net.FilterOut(id, func(time.Time, sm.NodeID, sm.Message) []sim.Parcel { return nil })
	}
	collector := w.cfg.find(groups[0][3])
	w.collect(collector)
	var void []Withheld
	w.until("a group is named", time.Minute, func() bool {
		p := w.progress[idOf(collector)]
		void = Void(w.cfg, &p)
		return void != nil
	})
	if len(void) != 1 || void[0].Group != 2 || void[0].Have != 2 || void[0].Need != 3 || !slices.Equal(void[0].Silent, withheld) {
		t.Errorf("%+v are named, not %v of group 2", void, withheld)
	}
	// It keeps asking: when one speaks, the run ends.
	w.net.FilterOut(withheld[3], nil)
	w.untilResult(collector)
	p := w.progress[idOf(collector)]
	if !p.Done || Void(w.cfg, &p) != nil {
		t.Errorf("after the output the table says %+v", p)
	}
	for _, row := range p.Rows {
		if silent := slices.Contains(withheld, row.Server) && row.Server != withheld[3]; silent != (row.State == Absent) {
			t.Errorf("server %d of group %d is %v", row.Server, row.Group, row.State)
		}
	}
}

// Two groups withhold, one in silence and one by wrong shares, which nobody has
// checked while the first has too few: both are named.
func TestWrongSharesDoNotHideAGroup(t *testing.T) {
	w := newWorld(t, 24, 8, 3, calm)
	groups := Groups(w.cfg, 0)
	w.begin(0)
	w.lead(w.cfg.find(groups[1][0]))
	w.untilDecided()
	n := 8 - pvss.Threshold(8) + 1
	for _, id := range groups[1][:n] {
		w.net.FilterOut(id, func(time.Time, sm.NodeID, sm.Message) []sim.Parcel { return nil })
	}
	for _, id := range groups[2][:n] {
		w.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			if o, ok := msg.(*Open); ok {
				wrong := *o
				wrong.Shares = slices.Clone(o.Shares)
				wrong.Shares[len(wrong.Shares)-32] ^= 1
				msg = &wrong
			}
			return sim.Pass(to, msg)
		})
	}
	collector := w.cfg.find(groups[0][3])
	w.collect(collector)
	w.until("both groups are named", time.Minute, func() bool {
		p := w.progress[idOf(collector)]
		void := Void(w.cfg, &p)
		return len(void) == 2 && slices.Equal(void[0].Silent, groups[1][:n]) && slices.Equal(void[1].Silent, groups[2][:n])
	})
	w.noRefusals()
}

// With too few dealers in one group there is no proposal, and they are named;
// others' wrong dealings, too, although the silence of these keeps the run from
// where it would need them.
func TestTooFewDealersAreNamed(t *testing.T) {
	w := newWorld(t, 24, 8, 4, calm)
	groups := Groups(w.cfg, 0)
	for _, id := range groups[1][2:] {
		w.corrupt(w.cfg.find(id), "garbage")
	}
	for _, id := range groups[2][2:] {
		w.net.FilterOut(id, func(time.Time, sm.NodeID, sm.Message) []sim.Parcel { return nil })
	}
	w.begin(0)
	leader := w.cfg.find(groups[0][0])
	w.lead(leader)
	w.net.RunFor(30 * time.Second)
	if len(w.proposals) > 0 {
		t.Fatal("there is a proposal")
	}
	p := w.progress[idOf(leader)]
	for _, row := range p.Rows {
		want := Dealt
		if slices.Contains(groups[1][2:], row.Server) {
			want = Invalid
		}
		if slices.Contains(groups[2][2:], row.Server) {
			want = Absent
		}
		if row.State != want {
			t.Errorf("server %d is %v, not %v", row.Server, row.State, want)
		}
	}
	if len(p.Rows) != 24 || !p.Overdue || p.Done {
		t.Errorf("%+v", p)
	}
	// The next view has other groups.
	w.begin(1)
	w.lead(leader)
	for i := range w.keys {
		w.net.FilterOut(idOf(i), nil)
	}
	w.untilDecided()
}

// A leader dies before its proposal, before the decision is told, or while it
// collects; whoever takes over ends with one output, which after the sign-off is
// the one that the dead leader would have had.
func TestLeaderDies(t *testing.T) {
	t.Parallel()
	reference := func(seed uint64) chain.Hash {
		w := newWorld(t, 13, 13, seed, calm)
		w.begin(0)
		w.lead(4)
		w.untilDecided()
		w.collect(4)
		return w.untilResult(4).Random
	}
	for seed := range uint64(2) {
		want := reference(seed)
		t.Run("while it gathers", func(t *testing.T) {
			w := newWorld(t, 13, 13, seed, calm)
			w.begin(0)
			w.lead(4)
			w.net.RunFor(2 * time.Millisecond)
			w.net.Crash(idOf(4))
			w.begin(1)
			w.lead(5)
			w.untilDecided()
			w.collect(5)
			w.untilResult(5)
			w.noRefusals()
		})
		t.Run("after it proposed", func(t *testing.T) {
			w := newWorld(t, 13, 13, seed, calm)
			w.begin(0)
			w.lead(4)
			w.until("a proposal", time.Minute, func() bool { return len(w.proposals) == 1 })
			w.net.Crash(idOf(4)) // before anybody votes
			w.begin(1)
			w.lead(5)
			w.untilDecided()
			w.net.Restart(idOf(4))
			w.collect(5)
			w.untilResult(5)
			w.noRefusals()
			if must(DecodeChoice(w.decided.Choice)).View != 1 {
				t.Error("the dead leader's choice was decided")
			}
		})
		t.Run("after the sign-off", func(t *testing.T) {
			w := newWorld(t, 13, 13, seed, calm)
			w.begin(0)
			w.lead(4)
			w.untilDecided()
			w.net.Crash(idOf(4))
			w.collect(7)
			if got := w.untilResult(7).Random; got != want {
				t.Errorf("the output is %v, it was %v", got, want)
			}
			w.noRefusals()
		})
		t.Run("while it collects", func(t *testing.T) {
			w := newWorld(t, 13, 13, seed, calm)
			w.begin(0)
			w.lead(4)
			w.untilDecided()
			w.collect(4)
			w.net.RunFor(10 * time.Millisecond)
			w.net.Crash(idOf(4))
			delete(w.results, idOf(4))
			w.collect(1)
			if got := w.untilResult(1).Random; got != want {
				t.Errorf("the output is %v, it was %v", got, want)
			}
			w.net.Restart(idOf(4))
			w.net.Do(idOf(4), *w.decided)
			w.collect(4)
			if got := w.untilResult(4).Random; got != want {
				t.Errorf("the restarted leader's output is %v, it was %v", got, want)
			}
			w.noRefusals()
		})
	}
}

// The same seed gives the same run, message for message.
func TestRunsRepeat(t *testing.T) {
	run := func(seed uint64) [32]byte {
		w := newWorld(t, 24, 8, seed, sim.Mix(3))
		w.corrupt(2, "equivocates")
		w.corrupt(5, "garbage")
		w.begin(0)
		w.lead(1)
		w.untilDecided()
		w.collect(7)
		w.untilResult(7)
		return w.net.Hash()
	}
	if run(1) != run(1) {
		t.Error("one seed gives two runs")
	}
	if run(1) == run(2) {
		t.Error("two seeds give one run")
	}
}
