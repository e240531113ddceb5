package council

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/drp"
	"ios/eds"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

// beacon is our part in making the random value of an epoch.
type beacon struct {
	epoch   uint64
	cfg     *drp.Config
	lottery *eds.Lottery
	server  *drp.Machine

	begun   bool // the coming epoch is being prepared
	begunAt time.Time
	heard   map[chain.ValidatorID]bool      // who prepares it, before we do
	last    map[chain.ValidatorID]time.Time // when a member was last heard of
	round   eds.Round
	deal    []uint64 // views to deal in
	moves   bool     // the round does

	// As a leader.
	led      uint64 // the last view that we led, plus 1
	ledAt    time.Time
	proposal *drp.Propose
	sown     uint64 // the last view that we put a seed up for, plus 1

	// As a collector.
	seeded     bool
	seedView   uint64 // of the lottery when a seed became final here
	elected    bool   // we led since then
	collecting bool
	progress   *drp.Progress // the newest table
	result     *drp.Result
	reaped     bool                           // we put the output up
	stated     map[uint16][]chain.ValidatorID // who is silent, by group
}

// coming is the epoch that is prepared next.
func (c *Core) coming() uint64 { return c.state.Book().Current().Number + 1 }

func (c *Core) member(id chain.ValidatorID) bool {
	members := c.state.Book().Validators()
	_, ok := slices.BinarySearchFunc(members, id, func(m identity.Member, id chain.ValidatorID) int { return int(m.ID) - int(id) })
	return ok
}

// faults is how many members may be faulty.
func (c *Core) faults() int { return cosi.Faults(len(c.state.Book().Validators())) }

// turn goes on to the next epoch when the record of one is final, and at the
// start.
func (c *Core) turn() {
	epoch := c.coming()
	if c.prepared == epoch {
		return
	}
	if c.prepared != 0 {
		c.stepLottery(eds.Stop{})
		c.stepServer(drp.Stop{})
		c.turnOutbox()
		c.gate = gate{}
	}
	c.prepared = epoch
	c.beacon, c.why, c.issue = nil, "", ""
	c.bases.turn()
	c.follow()
	if c.cfg.Genesis.Policy.EpochLength == 0 {
		return
	}
	if !c.member(c.cfg.Self) {
		c.why = fmt.Sprintf("validator %d is no member of epoch %d", c.cfg.Self, epoch-1)
		return
	}
	if err := c.open(epoch); err != nil {
		c.beacon, c.why = nil, fmt.Sprintf("we have no part in preparing epoch %d: %v", epoch, err)
	}
}

// open makes the machines of the beacon. They answer others from the start on.
func (c *Core) open(epoch uint64) error {
	book := c.state.Book()
	public, _ := book.Signing(c.cfg.Self)
	keys, ok := c.cfg.Keys(public)
	if !ok {
		return errors.New("the keys that count in this epoch are not here; put them into the home, or have them replaced with: ios node rotate")
	}
	b := &beacon{epoch: epoch, cfg: book.Beacon(), heard: make(map[chain.ValidatorID]bool), last: make(map[chain.ValidatorID]time.Time), stated: make(map[uint16][]chain.ValidatorID)}
	lottery := eds.LotteryConfig{
		ChainID: b.cfg.ChainID, Epoch: epoch, Previous: b.cfg.Previous, Self: c.cfg.Self, Secret: keys.VRF,
		Delta: c.cfg.delta(), RoundTime: c.cfg.roundTime(),
	}
	for _, m := range book.Validators() {
		lottery.Members = append(lottery.Members, eds.Member{ID: m.ID, Key: m.VRF})
	}
	var err error
	if b.lottery, err = eds.NewLottery(lottery); err != nil {
		return err
	}
	var records []sm.Persist
	if c.log.epoch == epoch {
		records = c.log.records
	}
	own := drp.Keys{Self: c.cfg.Self, Secret: keys.PVSS, Signing: keys.Voice.Key, Random: c.cfg.Random}
	if b.server, err = drp.NewServer(b.cfg, own, slices.Values(records)); err != nil {
		return err
	}
	c.beacon = b
	return nil
}

// hear notes who is there, and who prepares the coming epoch.
func (c *Core) hear(from chain.ValidatorID, msg sm.Message) {
	b := c.beacon
	if b == nil || !c.member(from) {
		return
	}
	b.last[from] = c.now
	if b.begun {
		return
	}
	switch m := msg.(type) {
	case *eds.Ticket:
		if m.Epoch == b.epoch {
			b.heard[from] = true
		}
	case *eds.Timeout:
		if m.Epoch == b.epoch {
			b.heard[from] = true
		}
	}
}

// due is when the coming epoch is to be prepared.
func (c *Core) due() time.Time { return c.began.Add(c.cfg.Genesis.Policy.EpochLength) }

// begin begins to prepare the coming epoch when it is time, for us or for an
// honest other.
func (c *Core) begin() {
	b := c.beacon
	if b.begun {
		return
	}
	_, seeded := c.state.Seeded()
	if !seeded && c.now.Before(c.due()) && len(b.heard) <= c.faults() {
		c.wake(c.due())
		return
	}
	b.begun, b.begunAt = true, c.now
	c.bases.begin(c)
	c.stepLottery(eds.Begin{})
}

// prepare does what has become possible in preparing the coming epoch.
func (c *Core) prepare() {
	b := c.beacon
	c.begin()
	if !b.begun {
		return
	}
	for len(b.deal) > 0 {
		view := b.deal[0]
		b.deal = b.deal[1:]
		c.stepServer(drp.Begin{View: view})
	}
	if b.moves {
		b.moves = false
		c.stepLottery(eds.Progress{})
	}
	if seed, ok := c.state.Seeded(); ok {
		c.reap(&seed)
	} else {
		c.sow()
	}
}

// leads reports whether the lottery has us lead now.
func (b *beacon) leads(self chain.ValidatorID) bool { return b.round.Known && b.round.Leader == self }

// sow puts up a seed, if we lead.
func (c *Core) sow() {
	b := c.beacon
	if view := b.round.View; b.leads(c.cfg.Self) && b.led != view+1 {
		b.led, b.ledAt, b.proposal = view+1, c.now, nil
		c.stepServer(drp.Lead{View: view})
	}
	p := b.proposal
	if p == nil || p.View+1 != b.led || b.sown == b.led {
		return
	}
	if patience := b.ledAt.Add(c.cfg.patience()); !c.gathered() && c.now.Before(patience) {
		c.wake(patience)
		return
	}
	b.sown = b.led
	c.put(&identity.Seed{Epoch: b.epoch, Choice: p.Choice})
}

// gathered reports whether nothing would be better if the seed came later: all
// shards are shown in the last batch of their plans, and nobody who is alive is
// about to be left out for absence.
func (c *Core) gathered() bool {
	book := c.state.Book()
	for j := range c.cfg.Genesis.Shards {
		shard := chain.ShardID(j)
		plan, err := book.ShardPlan(shard)
		base, ok := c.state.Base(shard)
		if err != nil || !ok || base.Term != (chain.Term{Epoch: plan.Epoch, Batch: plan.Last(shard)}) || c.bases.behind(shard, base) {
			return false
		}
	}
	for _, m := range book.Validators() {
		if s, ok := c.state.Validator(m.ID); ok && !s.Alive && s.Missed >= c.cfg.Genesis.Policy.AbsentEpochs {
			return false
		}
	}
	return true
}

// reap goes from the seed to the output.
func (c *Core) reap(seed *identity.Seeded) {
	b := c.beacon
	if !b.seeded {
		b.seeded, b.seedView, b.progress = true, b.round.View, nil
		c.stepServer(drp.Decided{Choice: seed.Raw, SignOff: c.sign, Checked: seed.Checked})
		c.stepLottery(eds.Progress{})
	}
	if b.leads(c.cfg.Self) {
		b.elected = true
	}
	if !b.collecting && (b.elected || b.round.View > b.seedView) {
		b.collecting = true
		c.stepServer(drp.Collect{})
	}
	switch {
	case b.result != nil && b.elected && !b.reaped:
		b.reaped = true
		c.put(identity.NewOutput(b.epoch, b.result.Random, seed.Raw, b.result.Transcript))
	case b.result == nil && b.progress != nil:
		c.accuse()
	}
}

// accuse states who is silent, if a group withholds so much that nobody can open
// its secrets.
func (c *Core) accuse() {
	b := c.beacon
	for _, w := range drp.Void(b.cfg, b.progress) {
		ids := slices.Clone(w.Silent)
		slices.Sort(ids)
		fresh := slices.ContainsFunc(ids, func(id chain.ValidatorID) bool { return !slices.Contains(b.stated[w.Group], id) })
		if fresh {
			b.stated[w.Group] = ids
			c.put(&identity.Silent{Epoch: b.epoch, Group: w.Group, IDs: ids})
		}
	}
}

func (c *Core) equivocated(e *drp.Equivocation) {
	if who, err := e.Verify(c.beacon.cfg); err == nil {
		c.deliver(Misbehaviour{Who: who, Cause: fmt.Sprintf("dealt twice in one view for epoch %d", c.beacon.epoch), Evidence: e.AppendTo(nil)})
	}
}
