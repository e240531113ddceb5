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

// Kinds of records, for Persist.
const (
	RecordDealing uint8 = 1 // our dealing in a view
	RecordDecided uint8 = 2 // the decided choice and its sign-off
	RecordHeld    uint8 = 3 // a choice that was found right before the sign-off
)

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

	peers   []peer // of each server, and one for all strangers
	refused refusals
	memo    *memo
	held    []heldChoice // that we may have signed, the last ones
	pending *pending     // a sign-off whose choice we lack
	decided *decided
	seen    map[int]*Dealing // signed, in the view inView, by server
	inView  uint64
	found   []Equivocation // not yet delivered

	lead    *lead
	collect *collect
}

// keptDealings is how many of our dealings can still be asked for.
const keptDealings = 4

// peer bounds what one peer may have us do.
type peer struct {
	asked   time.Time // when we last sent our dealing
	wishes  uint64    // the view that it asked for before we began it, plus 1
	opened  time.Time // when we last sent our shares
	checked time.Time // when we last checked a sign-off that it showed
	wanted  bool      // we asked it for a choice
	shown   bool      // it waits for our shares of that choice
	wantAt  time.Time
	filled  time.Time // when we last sent it the choice
}

// memo is the choice that was last examined.
type memo struct {
	choice *Choice
	hash   chain.Hash
	own    *own
}

// pending is a sign-off that verified.
type pending struct {
	view    uint64
	hash    chain.Hash
	signOff []byte
	retry   retry // of pulling the choice, if our owner told us of it
	next    int   // whom to ask next
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
	s := &Machine{run: r, keys: keys, self: cfg.find(keys.Self), dealt: map[uint64]*Dealing{}, peers: make([]peer, len(cfg.Servers)+1)}
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
	switch rec.Kind {
	case RecordDealing:
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
	case RecordDecided:
		r := chain.NewReader(rec.Data)
		choice, signOff := r.Blob(MaxChoice), r.Blob(MaxSignOff)
		if err := r.Close(); err != nil {
			return err
		}
		if s.decided != nil {
			return errors.New("a second decided choice")
		}
		m, err := s.examine(choice)
		if err != nil {
			return err
		}
		return s.settle(m, signOff)
	case RecordHeld:
		c, err := DecodeChoice(rec.Data)
		if err != nil {
			return err
		}
		if err := s.run.layout(c.View).check(c); err != nil {
			return err
		}
		s.hold(c, c.Hash())
		return nil
	}
	return errors.New("unknown kind of record")
}

// CheckChoice is the function of this name for the server itself. It remembers
// the last choice that it examined, so that what was checked before the sign-off
// is not checked again after. It puts nothing on disk, [Examine] does; evidence
// that it comes across is delivered by the next step.
func (s *Machine) CheckChoice(raw []byte) (*Choice, error) {
	m, err := s.examine(raw)
	if err != nil {
		return nil, err
	}
	return m.choice, m.own.refusal()
}

func (s *Machine) examine(raw []byte) (*memo, error) {
	if s.memo != nil && string(s.memo.choice.Raw) == string(raw) {
		return s.memo, nil
	}
	c, o, err := s.run.examine(raw, s.keys.Self)
	if err != nil {
		return nil, err
	}
	s.memo = &memo{choice: c, hash: c.Hash(), own: o}
	for _, d := range c.Dealings {
		s.note(d)
	}
	return s.memo, nil
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
	case Examine:
		s.onExamine(e.Choice)
	case Decided:
		s.onDecided(e)
	case SignedOff:
		s.onSignedOff(e)
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
	p := &s.peers[len(s.peers)-1]
	if i >= 0 {
		p = &s.peers[i]
	}
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
	}
}

func (s *Machine) stop() {
	for _, key := range []sm.TimerKey{timerLead, timerCollect, timerPull} {
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
