package onetnet

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	onetlog "go.dedis.ch/onet/v3/log"
)

// limiter lets one log line a second through and counts the rest.
type limiter struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

// pass adds n events and says whether to log now, and for how many events.
func (l *limiter) pass(n int) (count int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.skipped += n
	now := time.Now()
	if now.Sub(l.last) < time.Second {
		return 0, false
	}
	count, l.skipped, l.last = l.skipped, 0, now
	return count, true
}

func (l *limiter) warn(log logrus.FieldLogger, msg string, err error) { l.warnCount(log, msg, err, 1) }

func (l *limiter) warnCount(log logrus.FieldLogger, msg string, err error, n int) {
	if count, ok := l.pass(n); ok {
		log.WithError(err).WithField("count", count).Warn(msg)
	}
}

func (l *limiter) info(log logrus.FieldLogger, msg string, err error) {
	if _, ok := l.pass(1); !ok {
		return
	}
	if err != nil {
		log = log.WithError(err)
	}
	log.Info(msg)
}

// onet logs to one place per process, so the last transport that was opened
// decides where that is.
var (
	bridgeOnce sync.Once
	bridgeTo   atomic.Value // of target
)

type target struct{ logrus.FieldLogger }

// bridgeLogs keeps onet off standard output and error and passes on its
// warnings, and the rest for those who debug.
func bridgeLogs(log logrus.FieldLogger) {
	bridgeTo.Store(target{log})
	bridgeOnce.Do(func() {
		onetlog.SetDebugVisible(-100)
		onetlog.RegisterLogger(&bridge{info: onetlog.LoggerInfo{DebugLvl: 1, RawMessage: true}})
	})
}

type bridge struct{ info onetlog.LoggerInfo }

// onet's levels -20 to -17 are warning, error, fatal and panic; -16 and above
// are for information.
const onetPanic = -17

func (b *bridge) Log(level int, msg string) {
	log := bridgeTo.Load().(target).WithField("from", "onet")
	if level <= onetPanic {
		log.Warn(msg)
		return
	}
	log.Debug(msg)
}

func (b *bridge) Close() {}

func (b *bridge) GetLoggerInfo() *onetlog.LoggerInfo { return &b.info }
