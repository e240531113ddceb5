package simnet

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/node/validator"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// Net is a run.
type Net struct {
	dynasty
	plan    Plan
	sim     *sim.Network
	params  *chain.Params
	scheme  cosi.Scheme
	members []*member // by id
	cabals  []*cabal  // by shard
	clients []*client
	judge   judge

	wallets     [][]*wallet // by shard
	purse       [][]coin    // by shard: coins that clients think are theirs
	allocations []chain.Output
	supply      uint64

	signatures map[[32]byte]bool // verdicts
	stats      Stats
	err        error
}

// member is a validator.
type member struct {
	id     chain.ValidatorID
	key    *sig.Key
	secret cosi.Secret
	hostil *traitor // nil for an honest one

	posts    []*post
	known    uint64 // the newest epoch that it knows of
	life     int
	returned int // records that its lives have returned
	// The life in which it last left a shard, and what it had returned by then.
	leftAt, leftWith int
}

func (m *member) voice(scheme cosi.Scheme) func(sig.PublicKey) (byzcoin.Voice, bool) {
	vote, _ := scheme.Public(m.secret) // the committee has it
	return byzcoin.Voice{Key: m.key, Vote: vote, Cosign: func(msg []byte) (cosi.Signature, error) { return scheme.Sign(m.secret, msg) }}.Only
}

const epoch = 1

func newNet(p Plan) (*Net, error) {
	n := &Net{
		plan: p, params: chain.NewParams(sha256.Sum256([]byte("simnet")), chain.PrefixTest, len(p.Sizes), 1),
		scheme: cositest.New("simnet"), signatures: map[[32]byte]bool{},
		purse: make([][]coin, len(p.Sizes)),
	}
	var err error
	if n.wallets, err = makeWallets(len(p.Sizes)); err != nil {
		return nil, err
	}
	if p.BLS {
		n.scheme = cosi.BLS{}
	}
	n.judge.init(n)
	n.allocations = n.allocate()
	if err := n.appoint(); err != nil {
		return nil, err
	}
	if err := n.judge.open(); err != nil {
		return nil, err
	}
	cfg := sim.Config{
		Seed: p.Seed, Faults: p.Faults, Factory: n.build, Decode: n.decode,
		Answer: n.answer, Delivered: n.delivered, Check: func() error { return n.err },
	}
	for _, m := range n.members {
		cfg.Nodes = append(cfg.Nodes, m.id)
	}
	for i := range clients {
		n.clients = append(n.clients, &client{})
		cfg.Nodes = append(cfg.Nodes, firstClient+sm.NodeID(i))
	}
	n.sim = sim.New(cfg)
	n.corrupt()
	return n, nil
}

// appoint makes the validators: the first committees, and some to spare.
func (n *Net) appoint() error {
	var first transepoch.Assignment
	next := 0
	for _, size := range n.plan.Sizes {
		var ids []chain.ValidatorID
		for range size {
			ids = append(ids, chain.ValidatorID(next))
			next++
		}
		first = append(first, ids)
	}
	for i := range next + n.plan.Spares {
		m := &member{id: chain.ValidatorID(i), secret: cositest.Secret(i), known: epoch}
		seed := sha256.Sum256(fmt.Appendf(nil, "simnet member %d", i))
		var err error
		if m.key, err = sig.FromSeed(seed[:]); err != nil {
			return err
		}
		for s := range first {
			if slices.Contains(first[s], m.id) {
				m.posts = append(m.posts, &post{member: m, shard: chain.ShardID(s)})
			}
		}
		n.members = append(n.members, m)
	}
	return n.found(first)
}

// fail stops the run. The first reason counts.
func (n *Net) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf(format, args...)
	}
}

func (n *Net) honest(id chain.ValidatorID) bool { return n.members[id].hostil == nil }

// genesis is the ledger that the genesis makes.
func (n *Net) genesis(shard chain.ShardID) *atomix.State {
	s := atomix.NewState(n.params, shard, [16]byte{byte(shard)})
	if err := s.Genesis(n.allocations); err != nil {
		n.fail("the genesis: %w", err)
	}
	return s
}

func (n *Net) config(p *post) validator.Config {
	policy := n.plan.Policy.WithDefaults()
	known := archive{n, p.member}
	first := n.plans[0]
	return validator.Config{
		Params: n.params, Self: p.id, Committees: first.Old, Term: chain.Term{Epoch: epoch},
		Agreement: byzcoin.ChainConfig{
			ChainID: n.params.ChainID, Shard: p.shard, Self: p.id, Committees: known,
			Voice: p.member.voice(n.scheme), Policy: n.plan.Policy, Sources: first.Old[p.shard],
		},
		Plan: known.plan, Signing: n.signing, BatchDeadline: n.plan.Deadline,
		Patience: atomix.DefaultPatience(policy.Delta, policy.BlockInterval), Gather: policy.MinGap, Limits: n.plan.Limits,
	}
}

// delivered consumes what a validator or client delivers, durably.
func (n *Net) delivered(id sm.NodeID, value any) {
	if id >= firstClient {
		n.heard(int(id-firstClient), value)
		return
	}
	said := value.(told)
	p := said.post
	switch v := said.value.(type) {
	case validator.Answer:
		v.Tag.(*call).answered(n, p, v.Refusals)
	case validator.Decided:
		for _, s := range v.Report.Skipped {
			p.skipped[s.ID] = s.Reason
		}
	case validator.Lapsed:
		n.fail("%v: %d transactions have expired, which none can in a run", p, len(v.IDs))
	case byzcoin.Status:
		p.ready = v.Phase == byzcoin.Voting || v.Phase == byzcoin.Waiting
		if v.Phase == byzcoin.Halted && p.hostil == nil {
			n.fail("honest %v halted: %s", p, v.Reason)
		}
	case byzcoin.ViewChanged:
		n.cabals[p.shard].saw(p.core.Term(), v.View)
		n.stats.Views = max(n.stats.Views, int(v.View))
	case byzcoin.Misbehaviour:
		if n.honest(v.Who) && n.honest(id) && v.What != byzcoin.FaultLeftOut {
			n.fail("%v accuses honest %d: %s: %s", p, v.Who, v.What, v.Cause)
		}
	case byzcoin.Dropped: // what was accepted and is lost is found at the end
	case transepoch.Waiting:
		n.stats.Waits++
	case validator.Released: // see maybeLeave
	case transepoch.Fault:
		if n.honest(id) {
			n.fail("%v does not fit its plan: %w", p, v.Err)
		}
	case atomix.Misbehaviour:
		if n.honest(v.Who) && n.honest(id) {
			n.fail("%v accuses honest %d: %w", p, v.Who, v.Reason)
		} else if n.honest(id) {
			n.stats.Blamed++
		}
	default:
		n.fail("%v delivers a %T", p, value)
	}
}

// chance draws from the run's one source.
func (n *Net) chance(p float64) bool { return n.sim.Random().Float64() < p }

func (n *Net) below(d time.Duration) time.Duration {
	return time.Duration(n.sim.Random().Int64N(int64(d)))
}

func (n *Net) intn(k int) int { return n.sim.Random().IntN(k) }
