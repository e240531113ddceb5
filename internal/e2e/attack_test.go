package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
)

// watched is a network under attack with traffic of modest pace, whose rate
// and whose validators' memory and logs are compared.
type watched struct {
	n      *network
	load   *traffic
	victim chain.ValidatorID
	rate   float64       // rounds per second without an attack
	lasts  time.Duration // an attack, at the least
}

// bounds of what an attack may do.
const (
	maxGrowth = 160 << 20 // bytes of a validator's memory, above what it had
	maxLines  = 20        // of its log, in one attack
	minShare  = 0.5       // of the rounds that others get done without it
)

func watch(t *testing.T, n *network, load *traffic, victim chain.ValidatorID) *watched {
	t.Helper()
	w := &watched{n: n, load: load, victim: victim, lasts: 2 * time.Second}
	load.more(t, 50, 20*time.Second)
	w.rate = w.calm(t)
	t.Logf("without an attack: %.1f rounds a second, %d MB resident", w.rate, n.proc(victim).memory(t, "VmRSS")>>20)
	return w
}

// calm is the rate of rounds while nobody attacks.
func (w *watched) calm(t *testing.T) float64 {
	return w.measure(t, func() { w.load.more(t, 16*16, 30*time.Second) })
}

// measure is the rate of rounds while f runs.
func (w *watched) measure(t *testing.T, f func()) float64 {
	w.load.mu.Lock()
	w.load.times = nil
	w.load.mu.Unlock()
	begin := time.Now()
	f()
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	return float64(len(w.load.times)) / time.Since(begin).Seconds()
}

// under runs an attack and checks what it did. It lasts at least so long that
// the others' rate can be told.
func (w *watched) under(t *testing.T, name string, attack func(stop <-chan struct{})) {
	t.Helper()
	p := w.n.proc(w.victim)
	before, logged := p.memory(t, "VmRSS"), len(w.n.log(w.victim))
	peak, done := before, make(chan struct{})
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * tick):
				peak = max(peak, p.memory(t, "VmRSS"))
			}
		}
	}()
	rate := w.measure(t, func() {
		stop := time.NewTimer(w.lasts)
		halt := make(chan struct{})
		go func() { <-stop.C; close(halt) }()
		attack(halt)
		<-halt
	})
	close(done)
	<-sampled
	lines := slices.Collect(strings.Lines(w.n.log(w.victim)[logged:]))
	t.Logf("%s: others' rounds %.1f a second of %.1f, memory %d MB, then at most %d MB; %d lines logged", name, rate, w.rate, before>>20, peak>>20, len(lines))
	for _, line := range lines[:min(len(lines), 6)] {
		t.Logf("   %s", strings.TrimSpace(line))
	}
	if rate < minShare*w.rate {
		w.rate = min(w.rate, w.calm(t)) // the machine may have become busy
	}
	if rate < minShare*w.rate {
		t.Errorf("%s: the others got %.1f rounds a second done, %.1f without the attack; %s", name, rate, w.rate, w.load.troubles())
	}
	if peak-before > maxGrowth {
		t.Errorf("%s: memory grew from %d MB to %d MB", name, before>>20, peak>>20)
	}
	if len(lines) > maxLines {
		t.Errorf("%s: %d lines logged, the last:\n%s", name, len(lines), strings.Join(lines[len(lines)-5:], ""))
	}
	if !p.running() {
		t.Fatalf("%s: the validator ended", name)
	}
}
