package identity

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/chain/cosi/cositest"
	"ios/eds/safety"
)

// twin is the registry as its rules are written, without a thought for cost: it
// keeps people and payouts in lists and searches them.
type twin struct {
	policy  *chain.Policy
	least   int
	epoch   uint64
	people  []*person
	clock   int
	debts   []debt
	credits map[chain.Address]uint64
	due     []debt // to shards, which have not taken them
	between int64
	credit  []*payIn
	shards  int
	seeded  *change // nil without a seed
	genesis *chain.Genesis
	guarded bool // the genesis meets the policy's bound
	frozen  bool
}

type person struct {
	id                             chain.ValidatorID
	stake                          uint64
	orders                         uint64
	member, willing, leaving, dead bool
	alive                          bool
	missed, asked                  int
	to                             Payee
}

type debt struct {
	amount uint64
	to     Payee
	due    uint64
	of     chain.ValidatorID
}

// change is what a seed has fixed.
type change struct{ join, leave, shed []chain.ValidatorID }

func (w *twin) members() (ids []chain.ValidatorID) {
	for _, p := range w.people {
		if p.member {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// oldest is who asked first of those that a test picks.
func (w *twin) oldest(pick func(*person) bool) (first *person) {
	for _, p := range w.people {
		if pick(p) && (first == nil || p.asked < first.asked) {
			first = p
		}
	}
	return first
}

// freeze lets one after the other go and come, until the bound. If that is too
// few for the safety calculator, one leaver less may go.
func (w *twin) freeze() *change {
	for leavers := len(w.people); ; leavers-- {
		if c, n := w.freezeWith(leavers); leavers == 0 || !w.guarded || w.safe(n) {
			return c
		}
	}
}

func (w *twin) safe(n int) bool {
	_, err := safety.Assess(SafetyPlan(w.policy, n, w.genesis.Shards))
	return err == nil
}

func (w *twin) freezeWith(leavers int) (*change, int) {
	c := &change{}
	n := len(w.members())
	most := n * w.policy.Churn / 1000
	if most == 0 {
		most = 1
	}
	moved := func(id chain.ValidatorID) bool {
		return slices.Contains(c.join, id) || slices.Contains(c.leave, id) || slices.Contains(c.shed, id)
	}
	for range most {
		leaver := w.oldest(func(p *person) bool { return p.member && p.leaving && !moved(p.id) })
		gone := func(p *person) bool {
			return p.member && p.missed >= w.policy.AbsentEpochs && !p.alive && !moved(p.id)
		}
		var absent *person
		for _, p := range w.people {
			if absent == nil && !p.leaving && gone(p) {
				absent = p
			}
		}
		if absent == nil { // who waits to leave comes last
			absent = w.oldest(func(p *person) bool { return p.leaving && gone(p) })
		}
		if len(c.leave) == leavers {
			leaver = nil
		}
		comer := w.oldest(func(p *person) bool { return !p.member && p.willing && !p.leaving && !moved(p.id) })
		switch {
		case leaver != nil && len(c.shed) == 0 && len(c.join) == 0 && n > w.least:
			c.leave = append(c.leave, leaver.id)
			n--
		case absent != nil && len(c.join) == 0 && n > w.least:
			c.shed = append(c.shed, absent.id)
			n--
		case comer != nil:
			c.join = append(c.join, comer.id)
			n++
		}
	}
	for _, l := range [][]chain.ValidatorID{c.join, c.leave, c.shed} {
		slices.Sort(l)
	}
	return c, n
}

// end begins the next epoch.
func (w *twin) end(drawn bool, stalled chain.Shards) (payouts []debt) {
	w.epoch++
	for _, p := range w.people {
		if p.member && p.alive {
			p.missed = 0
		} else if p.member {
			p.missed++
		}
		p.alive = false
		if !drawn {
			continue
		}
		switch {
		case slices.Contains(w.seeded.join, p.id):
			p.member, p.missed = true, 0
		case slices.Contains(w.seeded.leave, p.id):
			p.member = false
		case slices.Contains(w.seeded.shed, p.id):
			p.member, p.willing, p.missed = false, false, 0
		}
	}
	for _, p := range w.people {
		if p.leaving && !p.member && !p.dead {
			p.dead = true
			if p.stake > 0 {
				w.debts = append(w.debts, debt{p.stake, p.to, w.epoch + uint64(w.policy.UnbondEpochs), p.id})
			}
			p.stake = 0
		}
	}
	var left []debt
	for _, d := range w.debts {
		switch {
		case d.due > w.epoch:
			left = append(left, d)
			continue
		case d.to.Credit:
			w.credits[d.to.Owner] += d.amount
		default:
			w.due = append(w.due, d)
		}
		payouts = append(payouts, d)
	}
	w.debts, w.seeded = left, nil
	w.credit = slices.DeleteFunc(w.credit, func(p *payIn) bool {
		if p.done && stalled.Has(p.tx.Inputs[0].Shard(w.shards)) {
			p.told = w.epoch - 1
		}
		return p.done && p.expiry+keepAnswers < w.epoch && p.told+keepAnswers < w.epoch
	})
	return payouts
}

// stakes of the twin's world are small, so that credits often do and often do not
// suffice.
func twinWorld(t *rapid.T) (*State, *twin) {
	g := &chain.Genesis{Name: "twin", TestNetwork: true, Shards: rapid.IntRange(1, 2).Draw(t, "shards"), Policy: chain.DefaultPolicy()}
	g.Allocations = []chain.Output{{Amount: 1000}}
	g.Policy.EpochLength, g.Policy.MinStake = 1, uint64(rapid.IntRange(0, 3).Draw(t, "least stake"))
	g.Policy.Churn = rapid.SampledFrom([]int{1, 200, 500, 1000}).Draw(t, "churn")
	g.Policy.AbsentEpochs, g.Policy.UnbondEpochs = rapid.IntRange(1, 3).Draw(t, "absent"), rapid.IntRange(2, 3).Draw(t, "unbond")
	w := &twin{shards: g.Shards, policy: &g.Policy, least: g.Shards, epoch: 1, credits: map[chain.Address]uint64{}}
	g.Policy.Byzantine = rapid.SampledFrom([]int{200, 250}).Draw(t, "byzantine")
	for i := range rapid.IntRange(2, 9).Draw(t, "validators") {
		g.Validators = append(g.Validators, fakeValidator(i, 5))
		w.people = append(w.people, &person{id: chain.ValidatorID(i), stake: 5, member: true, willing: true})
	}
	w.genesis = g
	w.guarded = w.safe(len(g.Validators))
	return must(NewState(g, scheme)), w
}

// fakeValidator has keys that nobody signs with.
func fakeValidator(i int, stake uint64) chain.Validator {
	v := chain.Validator{Name: string(rune('a' + i)), Address: string(rune('a' + i)), Cosi: must(scheme.Public(cositest.Secret(i))), Stake: stake}
	for n, key := range [][]byte{v.Identity[:], v.Signing[:], v.VRF[:], v.PVSS[:]} {
		key[0], key[1] = byte(n+1), byte(i)
	}
	return v
}

// draw makes an op and says whether the twin takes it.
func (w *twin) draw(t *rapid.T) (op Op, author chain.ValidatorID, taken bool) {
	p := w.people[rapid.IntRange(0, len(w.people)-1).Draw(t, "who")]
	order := Order{ID: p.id, Seq: p.orders + 1}
	order.Key[0], order.Key[1] = 2, byte(p.id)
	if rapid.IntRange(0, 9).Draw(t, "slip") == 0 {
		order.Seq++
	}
	good := order.Seq == p.orders+1 && !p.dead
	owner := payerKey(rapid.Byte().Draw(t, "owner") & 1).Public()
	to := Payee{Owner: addressOf(&owner), Credit: rapid.IntRange(0, 3).Draw(t, "credit") > 0}
	order2 := func(ok bool) bool {
		if good {
			p.orders++
		}
		return ok
	}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		if taken = order2(good && !p.leaving); taken {
			w.clock++
			p.leaving, p.to, p.asked = true, to, w.clock
		}
		return &Leave{order, to}, 0, taken
	case 1:
		if taken = order2(good && !p.member && !p.willing && !p.leaving); taken {
			w.clock++
			p.willing, p.asked = true, w.clock
		}
		return &Resume{order}, 0, taken
	case 2:
		n := uint64(rapid.IntRange(0, 6).Draw(t, "amount"))
		mine := 0
		for _, d := range w.debts {
			if d.of == p.id {
				mine++
			}
		}
		if taken = order2(good && !p.leaving && n > 0 && n+w.policy.MinStake <= p.stake && mine < 7); taken {
			p.stake -= n
			w.debts = append(w.debts, debt{n, to, w.epoch + 1 + uint64(w.policy.UnbondEpochs), p.id})
		}
		return &Unbond{order, n, to}, 0, taken
	case 3:
		payer := payerKey(rapid.Byte().Draw(t, "payer") & 1).Public()
		stake := uint64(rapid.IntRange(0, 4).Draw(t, "stake"))
		j := &Join{Validator: fakeValidator(len(w.people), stake), Payer: payer}
		if taken = stake >= w.policy.MinStake && len(w.people) < 40 && (stake == 0 || w.credits[addressOf(&payer)] >= stake); taken {
			w.credits[addressOf(&payer)] -= stake
			w.clock++
			w.people = append(w.people, &person{id: chain.ValidatorID(len(w.people)), stake: stake, willing: true, asked: w.clock})
		} else if len(w.people) >= 40 {
			j.Validator.Name = "a"
		}
		return j, 0, taken
	default:
		if taken = p.member && !p.alive; taken {
			p.alive = true
		}
		return &Alive{w.epoch}, p.id, taken
	}
}

func TestRegistryAgainstItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := twinWorld(t)
		run := func(author chain.ValidatorID, op Op) (*Report, Reason) {
			h := &chain.Header{Height: s.Height() + 1}
			s.Execute(h, []*chain.Body{{Author: author, Content: &Payload{[]Op{op}}}})
			s.Finalize(&chain.Block{Header: *h})
			return s.Report(), s.Report().Ops[0].Reason
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0:
				_, why := run(0, &Seed{Epoch: w.epoch + 1, Choice: make([]byte, 8+4)})
				if (why == Done) != (w.seeded == nil) {
					t.Fatalf("a seed: %q", why)
				}
				if why == Done {
					w.seeded = w.freeze()
				}
			case 1:
				rep, why := run(0, &Output{Epoch: w.epoch + 1, Random: chain.Hash{byte(w.epoch)}})
				if (why == Done) != (w.seeded != nil) {
					t.Fatalf("an output: %q", why)
				}
				if why == Done {
					w.compareEpoch(t, s, rep.Epoch)
				}
			case 2: // a shard shows its last batch
				shard := chain.ShardID(rapid.IntRange(0, s.book.genesis.Shards-1).Draw(t, "shard"))
				plan := must(s.Book().ShardPlan(shard))
				h := chain.Header{Shard: shard, Epoch: plan.Epoch, Batch: plan.Last(shard), Height: s.Height() + 1}
				if _, why := run(0, &Base{Header: h}); why != Done {
					t.Fatalf("a base: %q", why)
				}
			case 3:
				op, taken := w.drawCarried(t, s)
				if _, why := run(0, op); (why == Done) != taken {
					t.Fatalf("a bundle: %q, the twin takes it: %v", why, taken)
				}
			default:
				op, author, taken := w.draw(t)
				if _, why := run(author, op); (why == Done) != taken {
					t.Fatalf("%v %+v: %q, the twin takes it: %v", op.Kind(), op, why, taken)
				}
			}
			w.compare(t, s)
		}
		raw := s.AppendTo(nil)
		if back, err := DecodeState(s.book.genesis, scheme, raw); err != nil || !bytes.Equal(back.AppendTo(nil), raw) {
			t.Fatalf("a snapshot: %v", err)
		}
	})
}

// compareEpoch lets the twin begin the epoch too.
func (w *twin) compareEpoch(t *rapid.T, s *State, rec *Epoch) {
	c, drawn := w.seeded, rec.Course == Drawn
	if !drawn && rec.Course != Kept {
		t.Fatalf("the epoch is %v", rec.Course)
	}
	payouts := w.end(drawn, rec.Stalled)
	if drawn && (!slices.Equal(rec.Joined, c.join) || !slices.Equal(rec.Left, c.leave) || !slices.Equal(rec.Shed, c.shed)) {
		t.Fatalf("joined %v, left %v, shed %v; the twin: %+v", rec.Joined, rec.Left, rec.Shed, c)
	}
	if !slices.Equal(ids(rec.Members), w.members()) || rec.Number != w.epoch {
		t.Fatalf("members of epoch %d are %v, the twin's of %d %v", rec.Number, ids(rec.Members), w.epoch, w.members())
	}
	if len(payouts) != len(rec.Payouts) {
		t.Fatalf("payouts %v, the twin's %v", rec.Payouts, payouts)
	}
	for i, d := range payouts {
		if p := rec.Payouts[i]; p.Amount != d.amount || p.To != d.to || p.ID != d.of {
			t.Fatalf("payout %+v, the twin's %+v", p, d)
		}
	}
	if plan := must(rec.Plan()); drawn {
		seats := 0
		for j := range plan.New {
			seats += len(plan.New[j])
		}
		if stalled := rec.Stalled.List(); len(stalled) == 0 && seats != len(rec.Members) {
			t.Fatalf("%d seats for %d members", seats, len(rec.Members))
		}
	}
}

func (w *twin) compare(t *rapid.T, s *State) {
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	var f Funds
	for _, p := range w.people {
		got, _ := s.Validator(p.id)
		if got.Validator.Stake != p.stake || got.Orders != p.orders || got.Member != p.member || got.Leaving != (p.leaving && !p.dead) ||
			got.Gone != p.dead || got.Alive != p.alive || p.member && got.Missed != p.missed {
			t.Fatalf("validator %d: %+v, the twin has %+v", p.id, got, p)
		}
		f.Staked += p.stake
	}
	for _, d := range w.debts {
		f.Unbonding += d.amount
	}
	for owner, n := range w.credits {
		f.Credit += n
		if s.Credit(owner) != n {
			t.Fatalf("a credit of %d, the twin has %d", s.Credit(owner), n)
		}
	}
	for _, d := range w.due {
		f.Due += d.amount
	}
	f.Between = uint64(w.between)
	if s.Funds() != f || s.Registered() != len(w.people) {
		t.Fatalf("funds %+v of %d, the twin has %+v of %d", s.Funds(), s.Registered(), f, len(w.people))
	}
	if sum, _ := f.Sum(); sum-f.Between != s.book.genesis.Staked() {
		t.Fatalf("funds of %d out of %d", sum, s.book.genesis.Staked())
	}
}
