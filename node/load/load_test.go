package load

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ios/chain"
	"ios/node/load/bitcoin"
)

func TestMain(m *testing.M) {
	costTime = 20 * time.Millisecond
	goleak.VerifyTestMain(m)
}

func (w *world) config() Config {
	c := Config{Network: w.net, Faucet: w.faucet, Members: w.members(), Window: time.Second, Rate: 400, Owners: 8}
	for i := range w.shards {
		c.Shards = append(c.Shards, chain.ShardID(i))
	}
	return c
}

func TestARunCountsWhatHappened(t *testing.T) {
	for _, c := range []struct {
		name  string
		vice  vice
		setup func(*Config)
		check func(*testing.T, *Report)
	}{
		{"at a rate", vice{}, func(*Config) {}, func(t *testing.T, r *Report) {
			if r.TxPerS < 300 || r.TxPerS > 500 {
				t.Errorf("%.0f tx/s at a rate of 400", r.TxPerS)
			}
		}},
		{"outcomes told twice", vice{double: true}, func(c *Config) { c.Across = 0.5 }, func(t *testing.T, r *Report) {}},
		{"no room at first", vice{refuse: true}, func(*Config) {}, func(t *testing.T, r *Report) {}},
		{"across shards", vice{}, func(c *Config) { c.Across = 0.5 }, func(t *testing.T, r *Report) {
			if r.CrossFinal < r.Final/4 || r.CrossFinal > r.Final*3/4 {
				t.Errorf("%d of %d are across shards, half was wanted", r.CrossFinal, r.Final)
			}
			if r.CrossMS.P50 <= r.WithinMS.P50 || r.DecisiveMS.P50 >= r.CrossMS.P50 {
				t.Errorf("across %v, decisive %v, within %v", r.CrossMS, r.DecisiveMS, r.WithinMS)
			}
		}},
		{"one transaction a request", vice{}, func(c *Config) { c.Single = true }, func(t *testing.T, r *Report) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := newWorld(t, 2, c.vice).config()
			c.setup(&cfg)
			r, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if r.Submitted == 0 || r.Final != r.Submitted || r.Refused+r.Lost+r.CrossAborted != 0 {
				t.Errorf("%+v", r)
			}
			c.check(t, r)
		})
	}
}

func TestARunFindsWhatTheNetworkSustains(t *testing.T) {
	w := newWorld(t, 1, vice{})
	c := w.config()
	c.Rate, c.Target = 0, 50*time.Millisecond
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Final != r.Submitted || r.TxPerS < 1000 {
		t.Errorf("%+v", r)
	}
	if ratio := r.TxPerS / r.Floor; math.Abs(ratio-r.Ratio) > 1e-9 {
		t.Errorf("ratio %v, not %v", r.Ratio, ratio)
	}
}

func TestAbortsAndRefusalsAreNoLoss(t *testing.T) {
	c := newWorld(t, 2, vice{abort: true, forged: 7}).config()
	c.Across = 0.5
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.CrossAborted == 0 || r.CrossFinal != 0 || r.Refused == 0 || r.Final+r.CrossAborted+r.Refused != r.Submitted {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(r.Conditions, string(chain.ErrSignature)) {
		t.Errorf("the last refusal is not told: %s", r.Conditions)
	}
}

func TestALossIsFoundAndFailsTheRun(t *testing.T) {
	shorten(t)
	r, err := Run(t.Context(), newWorld(t, 1, vice{forget: 50}).config())
	if err == nil || !strings.Contains(err.Error(), "lost") {
		t.Fatalf("%v", err)
	}
	if r == nil || r.Lost == 0 || r.Final+r.Lost != r.Submitted {
		t.Errorf("%+v", r)
	}
}

// shorten makes the patience with a broken network short.
func shorten(t *testing.T) {
	old := patience
	patience = time.Second
	t.Cleanup(func() { patience = old })
}

func TestAnInterruptionEndsARun(t *testing.T) {
	w := newWorld(t, 1, vice{})
	c := w.config()
	c.Window = time.Hour
	c.Rate = 10
	ctx, cancel := context.WithCancel(t.Context())
	c.Progress = func(word string) {
		if strings.HasPrefix(word, "measuring for 1h") {
			cancel()
		}
	}
	if _, err := Run(ctx, c); err == nil {
		t.Fatal("an hour is over")
	}
}

// What is in flight when a run is interrupted is not lost: nobody has waited
// for it.
func TestAnInterruptionLosesNothing(t *testing.T) {
	for _, during := range []string{"measuring", "waiting"} {
		c := newWorld(t, 1, vice{forget: 1}).config()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.Progress = func(word string) {
			if strings.HasPrefix(word, during) {
				time.AfterFunc(200*time.Millisecond, cancel)
			}
		}
		if r, err := Run(ctx, c); !errors.Is(err, context.Canceled) || r != nil {
			t.Errorf("while %s: %v, %+v", during, err, r)
		}
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	w := newWorld(t, 1, vice{})
	for name, spoil := range map[string]func(*Config){
		"window":   func(c *Config) { c.Window = 0 },
		"warm-up":  func(c *Config) { c.WarmUp = -1 },
		"rate":     func(c *Config) { c.Rate = -1 },
		"share":    func(c *Config) { c.Across = 1.5 },
		"a rate":   func(c *Config) { c.Rate = 1e300 },
		"a rate o": func(c *Config) { c.Rate = math.NaN() },
		"a share":  func(c *Config) { c.Across = math.NaN() },
		"owners":   func(c *Config) { c.Owners = 1 << 40 },
		"requests": func(c *Config) { c.Clients = 1 << 40 },
		"no shard": func(c *Config) { c.Shards = nil },
		"shard 7":  func(c *Config) { c.Shards = []chain.ShardID{7} },
		"one":      func(c *Config) { c.Across = 0.5 },
		"prepared": func(c *Config) { c.Window, c.Rate = time.Hour, 1e6 },
	} {
		c := w.config()
		spoil(&c)
		if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARealBlockIsReplayed(t *testing.T) {
	for _, file := range bitcoinData(t)[1:] { // the small one
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bitcoin.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, 4, vice{})
		r, err := Replay(t.Context(), w.config(), b)
		if err != nil {
			t.Fatal(err)
		}
		if r.Final != r.Replayed || !r.SumsOK || r.AcrossTwo == 0 || r.AcrossMore == 0 || r.Within+r.AcrossTwo+r.AcrossMore != r.Replayed {
			t.Errorf("%+v", r)
		}
	}
}

func TestAReplayTellsWhatIsMissing(t *testing.T) {
	shorten(t)
	raw, err := os.ReadFile(bitcoinData(t)[1])
	if err != nil {
		t.Fatal(err)
	}
	b, err := bitcoin.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Replay(t.Context(), newWorld(t, 1, vice{forget: 40}).config(), b)
	if err == nil || r == nil || r.Lost == 0 || r.Final+r.Lost+r.Unsent != r.Replayed || r.SumsOK {
		t.Fatalf("%v: %+v", err, r)
	}
}

func TestTheTableFindsAllAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := make(map[chain.TxID]int)
		var ids []chain.TxID
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			var id chain.TxID
			// Few different prefixes, so that they collide.
			binary.LittleEndian.PutUint64(id[:], rapid.Uint64Range(0, 3).Draw(t, "prefix")<<62)
			id[31] = rapid.Byte().Draw(t, "rest")
			if _, ok := seen[id]; !ok {
				seen[id] = len(ids)
				ids = append(ids, id)
			}
		}
		table := newTable(ids)
		for i := range ids {
			table.put(i)
		}
		for id, at := range seen {
			if table.find(&id) != at {
				t.Fatalf("%v is at %d, not %d", id, at, table.find(&id))
			}
		}
		if stranger := (chain.TxID{30: 1}); table.find(&stranger) != -1 {
			t.Fatal("a stranger was found")
		}
	})
}

func TestTheWindowFollowsTheLatency(t *testing.T) {
	c := newControl(400 * time.Millisecond)
	// A network that makes 10,000 a second whatever is in flight: the window that
	// gives the target is 4,000.
	window := windowFirst
	for range 60 {
		window = c.next(time.Duration(window)*time.Second/10_000, true)
	}
	if window < 3500 || window > 4500 {
		t.Errorf("the window is %d, about 4000 is wanted", window)
	}
	for range 200 {
		window = c.next(time.Minute, true)
	}
	if window != windowMin {
		t.Errorf("with a network that hangs it is %d, not %d", window, windowMin)
	}
	for range 200 {
		window = c.next(time.Millisecond, true)
	}
	if window != windowMax {
		t.Errorf("with a fast network it is %d, not %d", window, windowMax)
	}
	if before := c.next(time.Millisecond, false); c.next(0, true) != before {
		t.Error("an interval without news changed it")
	}
}

// The aim leaves as much time for a block whatever goes across: when a transfer
// takes twice as long across shards, one within a shard takes the target.
func TestTheAimIsTwoTargetsAcrossShards(t *testing.T) {
	for _, across := range []float64{0, 0.25, 0.5, 1} {
		c := Config{Target: 400 * time.Millisecond, Across: across}
		within := c.aim().Seconds() / ((1 - across) + 2*across)
		if math.Abs(within-0.4) > 1e-6 {
			t.Errorf("with %v across, one within a shard takes %v s", across, within)
		}
	}
}

func TestTheFloorIsTheModels(t *testing.T) {
	const us = time.Microsecond
	if f := Floor(2, 4, 20*us, 0); math.Abs(f-21739) > 1 {
		t.Errorf("within a shard %f", f)
	}
	if f := Floor(2, 4, 20*us, 0.5); math.Abs(f-2/(4*23e-6+12e-6)) > 1 {
		t.Errorf("half across %f", f)
	}
	if cost, err := SignatureCost(time.Millisecond); err != nil || cost < us || cost > time.Millisecond*10 {
		t.Errorf("a signature costs %v, %v", cost, err)
	}
}

func TestProcessTimesAreRead(t *testing.T) {
	d, err := parseStat([]byte("12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0"))
	if err != nil || d != 2*time.Second {
		t.Errorf("%v, %v", d, err)
	}
	for _, bad := range []string{"", "12 (x) S 1", "no parenthesis", "12 (x) S 1 2 3 4 5 6 7 8 9 10 x 50 0"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	if _, err := processCPU(os.Getpid()); err != nil {
		t.Error(err)
	}
}
