package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// faultLog logs what others do wrong, one line a second for each.
type faultLog struct {
	mu    sync.Mutex
	last  time.Time
	quiet int
}

func (f *faultLog) log(entry *logrus.Entry, reason error) {
	f.mu.Lock()
	if time.Since(f.last) < time.Second {
		f.quiet++
		f.mu.Unlock()
		return
	}
	quiet := f.quiet
	f.last, f.quiet = time.Now(), 0
	f.mu.Unlock()
	if quiet > 0 {
		reason = fmt.Errorf("%w (and %d more)", reason, quiet)
	}
	entry.Warnf("misbehaviour: %v", reason)
}
