package drp

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/drp/pvss"
	"ios/internal/sm"
)

// RecordDealing is the kind of the record, for Persist, of our dealing in a view.
const RecordDealing uint8 = 1

// Keys are a server's own.
type Keys struct {
	Self    chain.ValidatorID
	Secret  pvss.SecretKey
	Signing *sig.Key
	Random  io.Reader // secret; what the dealt values come from, too
}

// Machine is one server's part in the run of an epoch. It deals, and leads and
// collects when told to.
type Machine struct {
	run  *run
	keys Keys
	self int // our place in the configuration

	now     time.Time
	out     []sm.Effect
	stopped bool

	dealt map[uint64]*Dealing // our dealings of the last views
	last  uint64              // the highest view that we dealt for
	begun bool                // we dealt for any

	peers   []peer // of each server, and some that strangers share
	refused refusals
	pending *pending // a sign-off whose choice we lack
	decided *decided
	seen    map[int]*Dealing // signed, in the view inView, by server
	inView  uint64
	found   []Equivocation // not yet delivered

	lead    *lead
	collect *collect
}

// keptDealings is how many of our dealings can still be asked for.
const keptDealings = 4

// strangers is how many slots those have who are no servers, by their numbers.
const strangers = 64

// peer bounds what one peer may have us do.
type peer struct {
	asked   time.Time // when we last sent our dealing
	wishes  uint64    // the view that it asked for before we began it, plus 1
	opened  time.Time // when we last sent our shares
	checked time.Time // when we last checked a sign-off that it showed
	wanted  bool      // we asked it for the choice, and wait
	wantAt  time.Time // when we last asked
	filled  time.Time // when we last sent it the choice
	passed  time.Time // when it last passed shares on to us
	lied    bool      // they were wrong
}

// pending is a sign-off that verified.
type pending struct {
	view    uint64
	hash    chain.Hash
	signOff []byte
}

// decided is the choice of the epoch.
type decided struct {
	choice  *Choice
	hash    chain.Hash
	signOff []byte
	shares  pvss.Decryption // ours; nil if no dealing to our group counts
}

// NewServer makes the machine of a server from the records that an earlier one
// left, nil if there are none. The configuration is kept.
func NewServer(cfg *Config, keys Keys, records iter.Seq[sm.Persist]) (*Machine, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	s := &Machine{run: r, keys: keys, self: cfg.find(keys.Self), dealt: map[uint64]*Dealing{}, peers: make([]peer, len(cfg.Servers)+strangers)}
	switch {
	case cfg.Delta <= 0:
		return nil, fmt.Errorf("drp: a delay bound of %v; a time above 0 is wanted", cfg.Delta)
	case s.self < 0:
		return nil, fmt.Errorf("drp: validator %d is not a server of epoch %d; its key counts from the next seed block on", keys.Self, cfg.Epoch)
	case keys.Signing == nil || keys.Random == nil:
		return nil, errors.New("drp: a signing key and a random stream are wanted")
	case keys.Signing.Public() != cfg.Servers[s.self].Signing:
		return nil, fmt.Errorf("drp: the signing key is not the one that server %d registered", keys.Self)
	}
	if public, err := keys.Secret.Public(); err != nil || public != cfg.Servers[s.self].Key {
		return nil, fmt.Errorf("drp: the share key is not the one that server %d registered", keys.Self)
	}
	if records == nil {
		return s, nil
	}
	n := 0
	for rec := range records {
		n++
		if err := s.restore(rec); err != nil {
			return nil, fmt.Errorf("drp: reading record %d, kind %d: %w", n, rec.Kind, err)
		}
	}
	return s, nil
}

func (s *Machine) restore(rec sm.Persist) error {
	if rec.Kind != RecordDealing {
		return errors.New("unknown kind of record")
	}
	d, err := DecodeDealing(rec.Data)
	if err != nil {
		return err
	}
	if err := s.run.layout(d.View).fits(d); err != nil {
		return err
	}
	if d.Dealer != s.keys.Self || s.run.checkSignatures([]*Dealing{d}) != nil {
		return fmt.Errorf("the dealing is not by server %d in epoch %d; begin with the records of this epoch's run", s.keys.Self, s.run.cfg.Epoch)
	}
	if s.begun && d.View <= s.last {
		return fmt.Errorf("a dealing for view %d after one for view %d", d.View, s.last)
	}
	s.keep(d)
	return nil
}

// Step consumes one event. See package sm.
func (s *Machine) Step(now time.Time, ev sm.Event) []sm.Effect {
	if now.After(s.now) {
		s.now = now
	}
	s.out = nil
	if s.stopped {
		return nil
	}
	switch e := ev.(type) {
	case sm.Receive:
		s.receive(e.From, e.Msg)
	case sm.Fire:
		s.fire(e.Key)
	case Begin:
		s.begin(e.View)
	case Lead:
		s.onLead(e.View)
	case Decided:
		s.onDecided(e)
	case Collect:
		s.onCollect()
	case Stop:
		s.stop()
	}
	for i := range s.found {
		s.deliver(s.found[i])
	}
	s.found = nil
	return s.out
}

func (s *Machine) receive(from sm.NodeID, msg sm.Message) {
	i := s.run.cfg.find(from)
	if i == s.self {
		return
	}
	at := i
	if i < 0 {
		at = len(s.run.cfg.Servers) + int(from%strangers)
	}
	p := &s.peers[at]
	switch m := msg.(type) {
	case *Ask:
		if i >= 0 && m.Epoch == s.run.cfg.Epoch {
			s.onAsk(from, p, m)
		}
	case *Deal:
		if i >= 0 && m.Epoch == s.run.cfg.Epoch {
			s.onDeal(i, m)
		}
	case *Show:
		if m.Epoch == s.run.cfg.Epoch {
			s.onShow(from, p, m)
		}
	case *Want:
		if i >= 0 && m.Epoch == s.run.cfg.Epoch {
			s.onWant(from, p, m)
		}
	case *Full:
		if m.Epoch == s.run.cfg.Epoch {
			s.onFull(from, p, m)
		}
	case *Open:
		if i >= 0 && m.Epoch == s.run.cfg.Epoch {
			s.onOpen(i, m)
		}
	case *Pass:
		if i >= 0 && m.Epoch == s.run.cfg.Epoch {
			s.onPass(p, m)
		}
	}
}

func (s *Machine) stop() {
	for _, key := range []sm.TimerKey{timerLead, timerCollect} {
		s.emit(sm.CancelTimer{Key: key})
	}
	*s = Machine{run: s.run, self: s.self, stopped: true, out: s.out}
}

func (s *Machine) emit(e sm.Effect) { s.out = append(s.out, e) }

func (s *Machine) deliver(v any) { s.emit(sm.Deliver{Value: v}) }

func (s *Machine) send(to sm.NodeID, m sm.Message) {
	s.emit(sm.Send{To: []sm.NodeID{to}, Msg: m})
}

// due reports whether something may be done for a peer again, and notes that it
// is. Who asks as often as an honest peer is always served.
func (s *Machine) due(last *time.Time) bool {
	if !last.IsZero() && s.now.Sub(*last) < s.run.cfg.Delta {
		return false
	}
	*last = s.now
	return true
}
