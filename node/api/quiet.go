package api

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// quiet logs a line at most once a minute per reason and remote host, and how
// often it was left out in between: who is refused ten thousand times leaves
// one line.
type quiet struct {
	log logrus.FieldLogger
	now func() time.Time

	mu    sync.Mutex
	seen  map[quietKey]*quietEntry
	swept time.Time
}

type quietKey struct{ reason, host string }

type quietEntry struct {
	last    time.Time
	omitted int
}

const (
	quietEvery = time.Minute
	quietKeys  = 1024 // beyond, all further hosts share one line a reason
)

func newQuiet(log logrus.FieldLogger) *quiet {
	return &quiet{log: log, now: time.Now, seen: make(map[quietKey]*quietEntry)}
}

// warn logs the reason and the sentence for a remote host.
func (q *quiet) warn(reason, host, text string) {
	now := q.now()
	q.mu.Lock()
	key := quietKey{reason, host}
	e := q.seen[key]
	if e == nil && len(q.seen) >= quietKeys {
		if now.Sub(q.swept) >= quietEvery {
			q.swept = now
			q.sweep(now)
		}
		if len(q.seen) >= quietKeys {
			key.host = "many hosts"
			e = q.seen[key]
		}
	}
	if e == nil {
		e = new(quietEntry)
		q.seen[key] = e
	} else if now.Sub(e.last) < quietEvery {
		e.omitted++
		q.mu.Unlock()
		return
	}
	omitted := e.omitted
	e.last, e.omitted = now, 0
	q.mu.Unlock()
	log := q.log.WithFields(logrus.Fields{"reason": reason, "client": key.host})
	if omitted > 0 {
		log = log.WithField("omitted", omitted)
	}
	log.Warn(text)
}

// sweep forgets the hosts that were silent for a while.
func (q *quiet) sweep(now time.Time) {
	for k, e := range q.seen {
		if now.Sub(e.last) >= quietEvery {
			delete(q.seen, k)
		}
	}
}
