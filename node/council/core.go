package council

import (
	"fmt"
	"iter"
	"time"

	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// Core is one validator of the identity chain, or a follower of it.
type Core struct {
	cfg   Config
	state *identity.State
	bft   *byzcoin.Chain

	final  []decided  // blocks not yet delivered
	began  time.Time  // when the current epoch did, by our clock; zero if that is not known
	epochs []NewEpoch // restored; in the end the newest one only
	sign   []byte     // the sign-off of the coming epoch's seed, if that is final
	log    beaconLog

	started  bool
	halted   bool
	prepared uint64       // the epoch that beacon is for, or would be
	turned   []chain.Term // that ended

	beacon *beacon // of the coming epoch; nil if we have no part in it
	why    string  // we have none
	bases  bases
	cargo  cargo
	gate   gate
	outbox outbox
	issue  string
	// warnings are the registry's, as of the last final block.
	warnings []string

	stirred bool // a part said something that calls for another look
	changed bool // the status may have
	told    Status
	ever    bool      // Status was delivered
	tellAt  time.Time // when to look at it again, at the latest

	now    time.Time
	wakeAt time.Time // earliest time at which there is something to do
	timer  time.Time // for which the timer is set
	out    []sm.Effect
}

// New makes a core. State is that of a snapshot, with what Snapshot gave besides
// as saved, or that of the genesis, with nil. Records are what its Persist effects
// put into the log since then, or nil. Its first event must be [Start].
func New(cfg Config, state *identity.State, saved []byte, records iter.Seq[sm.Persist]) (*Core, error) {
	c := &Core{cfg: cfg, state: state}
	c.outbox.flying = make(map[uint64]*draft)
	c.bases.known = make(map[chain.ShardID]*shardBase)
	agreement, err := c.load(saved)
	if err != nil {
		return nil, fmt.Errorf("council: reading what a snapshot saved: %w", err)
	}
	c.bft, err = byzcoin.RestoreChain(byzcoin.ChainConfig{
		Anchors: cfg.Anchors,
		ChainID: cfg.Genesis.ID(), Shard: chain.IdentityShard, Self: cfg.Self, Committees: committees{state},
		Voice: cfg.voice, Policy: cfg.Policy, App: ledger{c}, Sources: cfg.Sources,
	}, agreement, c.restored(records))
	if err != nil {
		return nil, fmt.Errorf("council: restoring the agreement: %w", err)
	}
	return c, nil
}

// State is the registry, for reading between two steps.
func (c *Core) State() *identity.State { return c.state }

// Point is where the chain stands.
func (c *Core) Point() byzcoin.Point { return c.bft.Point() }

// Snapshot takes the state to the last final block, by taking back what is being
// executed above it, and encodes what a snapshot needs besides the state. Every
// record returned so far goes before it.
func (c *Core) Snapshot() (*identity.State, []byte) {
	c.bft.Revert()
	return c.state, c.save()
}

// Step consumes one event. See package sm.
func (c *Core) Step(now time.Time, ev sm.Event) []sm.Effect {
	if now.After(c.now) {
		c.now = now
	}
	c.out, c.wakeAt = nil, time.Time{}
	if c.halted {
		c.refuse(ev)
		return c.out
	}
	if _, ok := ev.(sm.Receive); !ok {
		c.changed = true
	}
	c.event(ev)
	c.changed = c.changed || c.stirred
	c.drive()
	if err := c.Err(); err != nil {
		return c.halt(err)
	}
	c.tell()
	c.setTimer()
	return c.out
}

func (c *Core) event(ev sm.Event) {
	switch ev := ev.(type) {
	case Events:
		c.events(ev)
	case sm.Receive:
		c.receive(ev)
	case sm.Fire:
		c.fire(ev.Key)
	case Checked:
		c.checked(&ev)
	case ShardAt:
		c.shardAt(&ev)
	case Carry:
		c.carry(ev)
	case Submit:
		c.submit(ev)
	case Start:
		c.start()
	default:
		c.stepAgreement(ev)
	}
}

// events lets the agreement consume its share in one step, so that its answers
// share a message.
func (c *Core) events(list Events) {
	for _, ev := range list {
		if done, ok := ev.(Checked); ok && done.sub == nil {
			if pass := c.sift(&done); pass {
				c.gate.passed = append(c.gate.passed, done.result)
			}
			continue
		}
		c.event(ev)
	}
	c.letPass()
}

func (c *Core) start() {
	for i := range c.final { // a crash came before their times were stored
		c.persistFinal(&c.final[i])
	}
	c.final = nil
	for _, e := range c.epochs {
		e.Restored = true
		c.deliver(e)
	}
	if n := len(c.epochs); n > 0 {
		c.epochs = append([]NewEpoch(nil), c.epochs[n-1])
	}
	if c.began.IsZero() || c.began.After(c.now) {
		c.began = c.now
		c.emit(sm.Persist{Kind: RecordBegan, Data: be.AppendUint64(nil, uint64(c.began.UnixNano()))})
	}
	if c.log.epoch == c.coming() {
		c.gate.own = c.log.endorsed
	}
	c.started, c.warnings = true, c.state.Warnings()
	c.stepAgreement(byzcoin.Start{})
}

func (c *Core) receive(ev sm.Receive) {
	e, ok := ev.Msg.(*Envelope)
	if !ok {
		return
	}
	c.hear(ev.From, e.Msg)
	inner := sm.Receive{From: ev.From, Msg: e.Msg}
	switch e.Protocol {
	case protoAgreement:
		c.stepAgreement(inner)
	case protoLottery:
		c.stepLottery(inner)
	case protoBeacon:
		c.stepServer(inner)
	case protoCouncil:
		c.onEndorsed(ev.From, e.Msg)
	}
}

func (c *Core) emit(e sm.Effect) { c.out = append(c.out, e) }

func (c *Core) deliver(v any) { c.emit(sm.Deliver{Value: v}) }

func (c *Core) trouble(format string, args ...any) { c.issue = fmt.Sprintf(format, args...) }
