package onetnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"go.dedis.ch/onet/v3/network"

	"ios/internal/sm"
)

// graceDials is how many RedialMin the validator with the higher number waits
// for the other to dial first, so that there seldom are two connections.
const graceDials = 5

// peer is everything kept about one other validator.
type peer struct {
	id       sm.NodeID
	key      publicKey
	address  string
	identity *network.ServerIdentity // onet's name for it; compared by pointer
	dials    bool                    // this side dials first
	cfg      *Config
	log      logrus.FieldLogger

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   chan struct{} // closed when the writer has ended

	dropLog, connLog limiter

	mu       sync.Mutex
	queue    queue
	conns    []*conn // oldest first
	nextDial time.Time
	failures int // attempts that failed in a row

	bannedUntil time.Time
	bans        int

	sent, received, dropped uint64
	sentBytes, readBytes    uint64
	lastError               string
	lastErrorAt             time.Time
	heard                   time.Time
}

// errSelf is why a message to oneself is refused.
var errSelf = errors.New("a validator does not send to itself")

// poke makes the writer look again.
func (p *peer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// enqueue adds a message for the writer and returns how many messages were lost
// for it, itself included if the peer is banned.
func (p *peer) enqueue(it item, now time.Time) (lost int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.bannedLocked(now); err != nil {
		p.dropped++
		return 1, err
	}
	lost = p.queue.push(it)
	if lost > 0 {
		p.dropped += uint64(lost)
		err = fmt.Errorf("the queue is full: %d messages, %d bytes; last error: %s", p.queue.len(), p.queue.bytes, p.lastError)
	}
	return lost, err
}

// banned returns why traffic with the peer is refused, if it is.
func (p *peer) banned(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bannedLocked(now)
}

func (p *peer) bannedLocked(now time.Time) error {
	if now.Before(p.bannedUntil) {
		return fmt.Errorf("validator %d is refused for another %v after: %s", p.id, p.bannedUntil.Sub(now).Round(time.Millisecond), p.lastError)
	}
	return nil
}

// ban starts a ban, longer than the one before unless that is long ago, and
// returns its length and the connections to close, or false if one is running.
func (p *peer) ban(now time.Time, reason error) (d time.Duration, conns []*conn, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.bannedUntil) {
		return 0, nil, false
	}
	if now.Sub(p.bannedUntil) > p.cfg.DropMax {
		p.bans = 0
	}
	d = doubled(p.cfg.DropMin, p.cfg.DropMax, p.bans)
	p.bans++
	p.bannedUntil = now.Add(d)
	p.lastError, p.lastErrorAt = reason.Error(), now
	p.dropped += uint64(p.queue.drain())
	return d, append(conns, p.conns...), true
}

// planDial sets when to connect next after a loss or failure. The caller holds mu.
func (p *peer) planDial(now time.Time, reason error) {
	d := doubled(p.cfg.RedialMin, p.cfg.RedialMax, p.failures)
	d += time.Duration(rand.Int64N(int64(d)/4 + 1)) // so that a restarted network does not dial in step
	if !p.dials {
		d += graceDials * p.cfg.RedialMin
	}
	p.failures++
	p.nextDial = now.Add(d)
	if p.lastErrorAt.Before(p.bannedUntil) && now.Before(p.bannedUntil) {
		return // the reason for the ban is the better explanation
	}
	p.lastError, p.lastErrorAt = reason.Error(), now
}

// note records that bytes arrived.
func (p *peer) note(now time.Time, bytes int) {
	p.mu.Lock()
	p.heard = now
	p.readBytes += uint64(bytes)
	p.mu.Unlock()
}

// doubled returns from·2ⁿ, at most limit.
func doubled(from, limit time.Duration, n int) time.Duration {
	for ; n > 0 && from < limit; n-- {
		from *= 2
	}
	return min(from, limit)
}
