package drp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
	"pgregory.net/rapid"
)

// No byte of a transcript can change, and nothing can be added or cut off.
func TestEveryByteOfATranscriptCounts(t *testing.T) {
	t.Parallel()
	cfg, keys := newConfig(4, 4, 1)
	raw := transcriptOf(cfg, keys, 2).AppendTo(nil)
	good, err := Verify(cfg, raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := slices.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		if _, err := Verify(cfg, bad); err == nil {
			t.Fatalf("byte %d of %d can change", i, len(raw))
		}
	}
	for n := range raw {
		if _, err := Verify(cfg, raw[:n]); err == nil {
			t.Fatalf("%d bytes of %d are enough", n, len(raw))
		}
	}
	if _, err := Verify(cfg, append(slices.Clone(raw), 0)); err == nil {
		t.Error("a byte more is accepted")
	}
	// It counts for one chain, epoch, previous output, and set of servers.
	for name, change := range map[string]func(*Config){
		"chain":    func(c *Config) { c.ChainID[0] ^= 1 },
		"epoch":    func(c *Config) { c.Epoch++ },
		"previous": func(c *Config) { c.Previous[0] ^= 1 },
		"size":     func(c *Config) { c.GroupSize++ },
		"servers":  func(c *Config) { c.Servers = slices.Clone(c.Servers); c.Servers[3].ID++ },
	} {
		other := *cfg
		change(&other)
		// The sign-off alone would be accepted.
		other.VerifySignOff = func(uint64, chain.Hash, []byte) error { return nil }
		if _, err := Verify(&other, raw); err == nil {
			t.Errorf("it counts with another %s", name)
		}
	}
	// All that the output depends on is the choice.
	tr := transcriptOf(cfg, keys, 2)
	l := must(newRun(cfg)).layout(2)
	first, _, err := must(newRun(cfg)).decodeTranscript(raw)
	if err != nil {
		t.Fatal(err)
	}
	tr.Choice, tr.SignOff = first.Choice, signOff(cfg, keys, 2, first.Choice.Hash(), []int{3, 2, 1})
	tr.Openings[0] = openAll(l, keys, tr.Choice, 0, 4)[:2]
	again, err := Verify(cfg, tr.AppendTo(nil))
	if err != nil || again.Random != good.Random {
		t.Errorf("other shares and votes give %v, not %v: %v", again, good.Random, err)
	}
}

func TestTooFewAndTooManyShares(t *testing.T) {
	cfg, keys := newConfig(7, 7, 1)
	tr := transcriptOf(cfg, keys, 0)
	l := must(newRun(cfg)).layout(0)
	all := openAll(l, keys, tr.Choice, 0, 7)
	for name, list := range map[string][]Opening{
		"too few":       all[:2],
		"too many":      all[:4],
		"none":          nil,
		"one twice":     {all[0], all[0], all[1]},
		"another order": {all[1], all[0], all[2]},
		"another index": {all[0], all[1], {6, all[2].Shares}},
		"no index":      {all[0], all[1], {7, all[2].Shares}},
	} {
		bad := *tr
		bad.Openings = [][]Opening{list}
		if _, err := Verify(cfg, bad.AppendTo(nil)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for from := range 5 {
		ok := *tr
		ok.Openings = [][]Opening{all[from : from+3]}
		if _, err := Verify(cfg, ok.AppendTo(nil)); err != nil {
			t.Errorf("shares from %d on: %v", from, err)
		}
	}
}

// A hostile transcript costs the memory of its own bytes, and the largest run's
// stays within a few times that.
func TestVerifyingIsBoundedInMemory(t *testing.T) {
	cfg, keys := newConfig(512, 32, 1)
	cfg.VerifySignOff = func(uint64, chain.Hash, []byte) error { return nil }
	tr := transcriptOf(cfg, keys, 0)
	tr.SignOff = tr.SignOff[:140]
	raw := tr.AppendTo(nil)
	if len(raw) > 1_200_000 {
		t.Errorf("%d bytes for 512 servers", len(raw))
	}
	allocated := func(raw []byte, want bool) uint64 {
		t.Helper()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := Verify(cfg, raw)
		runtime.ReadMemStats(&after)
		if (err == nil) != want {
			t.Fatal(err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := allocated(raw, true); n > 64<<20 {
		t.Errorf("%d bytes were allocated for a transcript of %d", n, len(raw))
	}
	for at := range 24 { // lengths, counts, sizes
		bad := slices.Clone(raw[:4096])
		binary.BigEndian.PutUint32(bad[at:], 0xffffffff)
		if n := allocated(bad, false); n > 4<<20 {
			t.Errorf("%d bytes were allocated for a wrong length at %d", n, at)
		}
	}
	if _, err := Verify(cfg, make([]byte, MaxTranscript+1)); err == nil {
		t.Error("too long a transcript is read")
	}
}

// The groups are a partition, balanced, and a function of the configuration.
func TestGroups(t *testing.T) {
	base, _ := newConfig(1, 1, 1)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "servers")
		size := rapid.IntRange(1, 64).Draw(t, "group size")
		view := rapid.Uint64().Draw(t, "view")
		cfg := *base
		cfg.GroupSize = size
		cfg.Servers = nil
		seen := map[chain.ValidatorID]int{}
		for i := range n {
			cfg.Servers = append(cfg.Servers, Server{ID: idOf(i)})
			seen[idOf(i)] = 0
		}
		groups := Groups(&cfg, view)
		for g, members := range groups {
			if !slices.IsSorted(members) {
				t.Fatalf("group %d is not in order", g)
			}
			if len(members) > len(groups[0]) || len(members) < len(groups[0])-1 {
				t.Fatalf("sizes differ: %d and %d", len(groups[0]), len(members))
			}
			if n > OneGroup && len(members) < min(size, n) {
				t.Fatalf("a group of %d", len(members))
			}
			for _, id := range members {
				seen[id]++
			}
		}
		for id, k := range seen {
			if k != 1 {
				t.Fatalf("server %d is in %d groups", id, k)
			}
		}
		if n <= OneGroup && len(groups) != 1 || n > OneGroup && len(groups) != max(1, n/size) {
			t.Fatalf("%d servers are in %d groups", n, len(groups))
		}
	})
}

// Every server is about equally often in every group.
func TestGroupingIsEven(t *testing.T) {
	cfg, _ := newConfig(32, 8, 1)
	counts := map[string]int{}
	for view := range uint64(2000) {
		for g, members := range Groups(cfg, view) {
			for _, id := range members {
				counts[fmt.Sprint(id, " ", g)]++
			}
		}
	}
	for k, n := range counts {
		if n < 400 || n > 600 { // 500 expected, standard deviation 19
			t.Errorf("server and group %s: %d times of 2000, 500 expected", k, n)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no server":       func(c *Config) { c.Servers = nil },
		"ids in disorder": func(c *Config) { c.Servers[0], c.Servers[1] = c.Servers[1], c.Servers[0] },
		"one id twice":    func(c *Config) { c.Servers[1].ID = c.Servers[0].ID },
		"one key twice":   func(c *Config) { c.Servers[1].Key = c.Servers[0].Key },
		"one signer":      func(c *Config) { c.Servers[1].Signing = c.Servers[0].Signing },
		"empty groups":    func(c *Config) { c.GroupSize = 0 },
		"no verifier":     func(c *Config) { c.VerifySignOff = nil },
		"a huge group": func(c *Config) {
			c.GroupSize = 2000
			c.Servers = nil
			for i := range 2000 {
				s := Server{ID: chain.ValidatorID(i)}
				binary.BigEndian.PutUint16(s.Key[:], uint16(i))
				binary.BigEndian.PutUint16(s.Signing[:], uint16(i))
				c.Servers = append(c.Servers, s)
			}
		},
	} {
		cfg, _ := newConfig(4, 4, 1)
		if err := cfg.Check(); err != nil {
			t.Fatal(err)
		}
		change(cfg)
		if err := cfg.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	cfg, keys := newConfig(4, 4, 1)
	cfg.Delta = 0
	if _, err := NewServer(cfg, keys[0], nil); err == nil {
		t.Error("a machine without a delay bound")
	}
}

// now0 is any time.
var now0 = time.Unix(1, 0)

func messages(t testing.TB) []sm.Message {
	cfg, keys := newConfig(4, 4, 1)
	tr := transcriptOf(cfg, keys, 2)
	hash := tr.Choice.Hash()
	return []sm.Message{
		&Ask{7, 2}, &Deal{7, tr.Choice.Dealings[0].Raw}, &Deal{}, &Show{7, 2, hash, tr.SignOff}, &Show{},
		&Want{7, hash}, &Full{7, tr.Choice.Raw}, &Open{7, hash, tr.Openings[0][0].Shares}, &Open{},
		&Pass{7, hash, []Shares{{1, tr.Openings[0][0].Shares}, {3, nil}}}, &Pass{},
	}
}

func TestMessagesDecodeToThemselves(t *testing.T) {
	for _, m := range messages(t) {
		raw := m.AppendTo(nil)
		back, err := Decode(raw)
		if err != nil {
			t.Errorf("%T: %v", m, err)
			continue
		}
		if !bytes.Equal(back.AppendTo(nil), raw) {
			t.Errorf("%T changes", m)
		}
		for n := range raw {
			if _, err := Decode(raw[:n]); err == nil {
				t.Errorf("%T cut to %d of %d bytes is accepted", m, n, len(raw))
			}
		}
		if _, err := Decode(append(raw, 0)); err == nil {
			t.Errorf("%T with a byte more is accepted", m)
		}
	}
	for _, raw := range [][]byte{nil, {0}, {7, 1}, {255}} {
		if _, err := Decode(raw); err == nil {
			t.Errorf("%x is a message", raw)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(m.AppendTo(nil))
	}
	cfg, keys := newConfig(4, 4, 1)
	tr := transcriptOf(cfg, keys, 2)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(m.AppendTo(nil), raw) {
			t.Fatal("two encodings of one message")
		}
		s := must(NewServer(cfg, keys[0], nil))
		s.Step(now0, Begin{2})
		s.Step(now0, Lead{2})
		s.Step(now0, sm.Receive{From: keys[1].Self, Msg: m})
		s = must(NewServer(cfg, keys[0], nil))
		s.Step(now0, Decided{tr.Choice.Raw, tr.SignOff, nil})
		s.Step(now0, Collect{})
		s.Step(now0, sm.Receive{From: keys[1].Self, Msg: m})
	})
}

func FuzzChoice(f *testing.F) {
	cfg, keys := newConfig(4, 4, 1)
	tr := transcriptOf(cfg, keys, 2)
	f.Add(tr.Choice.Raw)
	f.Add(tr.Choice.Dealings[0].Raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if d, err := DecodeDealing(raw); err == nil {
			if !bytes.Equal(d.Raw, raw) || len(raw) > maxDealing {
				t.Fatal("a dealing is not its bytes")
			}
		}
		if c, err := DecodeChoice(raw); err == nil && !bytes.Equal(newChoice(c.View, c.Dealings).Raw, raw) {
			t.Fatal("two encodings of one choice")
		}
		if _, err := CheckChoice(cfg, raw, idOf(0)); err == nil && !bytes.Equal(raw, tr.Choice.Raw) {
			t.Fatal("a choice that nobody made")
		}
	})
}

func FuzzTranscript(f *testing.F) {
	cfg, keys := newConfig(4, 4, 1)
	tr := transcriptOf(cfg, keys, 2)
	good := tr.AppendTo(nil)
	f.Add(good)
	r := must(newRun(cfg))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if x, _, err := r.decodeTranscript(raw); err == nil && !bytes.Equal(x.AppendTo(nil), raw) {
			t.Fatal("two encodings of one transcript")
		}
		if _, err := Verify(cfg, raw); err == nil && !bytes.Equal(raw, good) {
			t.Fatal("a transcript that nobody made")
		}
	})
}

func FuzzEquivocation(f *testing.F) {
	cfg, keys := newConfig(4, 4, 1)
	l := must(newRun(cfg)).layout(2)
	e := newEquivocation(must(newDealing(l, 1, &keys[1])), must(newDealing(l, 1, &keys[1])))
	f.Add(e.AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := DecodeEquivocation(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(x.AppendTo(nil), raw) {
			t.Fatal("two encodings of one piece of evidence")
		}
		if _, err := x.Verify(cfg); err == nil && (!bytes.Equal(x.A, e.A) || !bytes.Equal(x.B, e.B)) {
			t.Fatal("evidence of what nobody did")
		}
	})
}

// What a run with fixed keys and streams gives. A change here is a change of the
// protocol: two versions would not agree on an output.
func TestGolden(t *testing.T) {
	cfg, keys := newConfig(20, 8, 1)
	tr := transcriptOf(cfg, keys, 3)
	raw := tr.AppendTo(nil)
	out, err := Verify(cfg, raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"setup", cfg.hash().String(), "acb23e22fcf6fe368994137ecc408cfda5fd0a1eddc60ddadc3088ec39e6e4c5"},
		{"groups", fmt.Sprint(Groups(cfg, 3)), "[[8 14 23 26 32 38 47 50 56 62] [5 11 17 20 29 35 41 44 53 59]]"},
		{"choice", out.Choice.String(), "e88cc94d6468548d8d023e71ee2a816ac967e766b0aadac506be3aa3e570b23a"},
		{"transcript", chain.Hash(sha256.Sum256(raw)).String(), "ad73c504d32fe59df34cb35f7ca2a6c890ed22058da2549d564822cdf381cedc"},
		{"output", out.Random.String(), "b5b36a45937dfd981e48d0d3d5dc08a722b27af5f3ad60e88bdd913f60c86335"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q", c.what, c.got)
		}
	}
}
