package simnet

import (
	"bytes"
	"crypto/sha256"
	"errors"
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
)

// Net is a run.
type Net struct {
	plan   Plan
	sim    *sim.Network
	params *chain.Params
	scheme cosi.Scheme
	seats  [][]chain.ValidatorID // by shard
	keys   [][]sig.PublicKey
	boards []*cosi.Committee
	// committees are the same, as the agreement knows them.
	committees validator.Genesis
	members    []*member // by id
	cabals     []*cabal  // by shard
	clients    []*client
	judge      judge

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
	shard  chain.ShardID
	seat   int
	key    *sig.Key
	secret cosi.Secret
	hostil *traitor // nil for an honest one

	core     *validator.Core
	life     int
	returned int // records that its lives have returned
	height   uint64
	disk     disk
	snaps    []snapshot
	ready    bool
	skipped  map[chain.TxID]atomix.Skip
}

const epoch = 1

var term = chain.Term{Epoch: epoch}

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

// appoint makes the committees.
func (n *Net) appoint() error {
	for s, size := range n.plan.Sizes {
		var keys []cosi.PublicKey
		var ids []chain.ValidatorID
		var signing []sig.PublicKey
		for seat := range size {
			m := &member{id: chain.ValidatorID(len(n.members)), shard: chain.ShardID(s), seat: seat}
			seed := sha256.Sum256(fmt.Appendf(nil, "simnet member %d", m.id))
			var err error
			if m.key, err = sig.FromSeed(seed[:]); err != nil {
				return err
			}
			m.secret = cositest.Secret(int(m.id))
			key, err := n.scheme.Public(m.secret)
			if err != nil {
				return err
			}
			ids, keys, signing = append(ids, m.id), append(keys, key), append(signing, m.key.Public())
			n.members = append(n.members, m)
		}
		board, err := n.scheme.NewCommittee(keys)
		if err != nil {
			return err
		}
		n.seats, n.boards = append(n.seats, ids), append(n.boards, board)
		n.committees = append(n.committees, &chain.Committee{Shard: chain.ShardID(s), Term: term, Members: ids, Signing: signing, Cosi: board})
	}
	return nil
}

func (n *Net) decode(raw []byte) (sm.Message, error) {
	e, err := validator.Decode(n.params, raw)
	if err != nil {
		return nil, err
	}
	return e, nil
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

// build is the Factory: what node.recover does.
func (n *Net) build(id sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
	if id >= firstClient {
		return n.buildClient(int(id-firstClient), now)
	}
	m := n.members[id]
	m.life++
	if m.life > 1 {
		n.stats.Restarts++
	}
	m.ready, m.skipped, m.returned = false, map[chain.TxID]atomix.Skip{}, len(records)
	if err := m.disk.open(records); err != nil {
		n.fail("validator %d: reading the log: %w", id, err)
	}
	core, err := n.recover(m, records)
	if err != nil {
		n.fail("validator %d does not restart: %w", id, err)
		return idle{}, nil
	}
	m.core = core
	point := core.Point()
	if m.height = point.Height; m.hostil == nil {
		n.judge.restarted(m, &point)
	}
	t := &tap{n, m}
	return t, t.Step(now, validator.Start{})
}

func (n *Net) recover(m *member, records []sm.Persist) (*validator.Core, error) {
	state, cfg := n.genesis(m.shard), n.config(m)
	from := 0
	for len(m.snaps) > 0 && m.snaps[len(m.snaps)-1].from > len(records) {
		m.snaps = m.snaps[:len(m.snaps)-1] // it was never finished
	}
	if len(m.snaps) > 0 {
		s := m.snaps[len(m.snaps)-1]
		loaded, err := atomix.LoadState(n.params, m.shard, [16]byte{7}, bytes.NewReader(s.state))
		if err != nil {
			return nil, err
		}
		n.stats.Snapshots++
		state, cfg.Saved, from = loaded, bytes.Clone(s.saved), s.from
	}
	cfg.State = state
	return validator.New(cfg, slices.Values(records[from:]))
}

func (n *Net) config(m *member) validator.Config {
	p := n.plan.Policy.WithDefaults()
	return validator.Config{
		Params: n.params, Self: m.id, Committees: n.seats,
		Term: term,
		Agreement: byzcoin.ChainConfig{
			ChainID: n.params.ChainID, Shard: m.shard, Self: m.id, Committees: n.committees,
			Key: m.key, Policy: n.plan.Policy,
			Cosign: func(msg []byte) (cosi.Signature, error) { return n.scheme.Sign(m.secret, msg) },
		},
		Patience: atomix.DefaultPatience(p.Delta, p.BlockInterval), Gather: p.MinGap, Limits: n.plan.Limits,
	}
}

// tap is a validator whose effects are looked at before they are carried out.
type tap struct {
	*Net
	m *member
}

// Step implements sm.Machine.
func (t *tap) Step(now time.Time, ev sm.Event) []sm.Effect {
	m := t.m
	effects := m.core.Step(now, ev)
	t.stumble(m)
	for _, e := range effects {
		switch e := e.(type) {
		case sm.Persist:
			m.returned++
		case sm.Deliver:
			if d, ok := e.Value.(validator.Decided); ok && m.hostil == nil {
				t.judge.final(m, &d)
			}
		}
	}
	return effects
}

// delivered consumes what a validator or client delivers, durably.
func (n *Net) delivered(id sm.NodeID, value any) {
	if id >= firstClient {
		n.heard(int(id-firstClient), value)
		return
	}
	m := n.members[id]
	switch v := value.(type) {
	case validator.Answer:
		v.Tag.(*call).answered(n, m, v.Refusals)
	case validator.Decided:
		for _, s := range v.Report.Skipped {
			m.skipped[s.ID] = s.Reason
		}
	case byzcoin.Status:
		m.ready = v.Phase == byzcoin.Voting || v.Phase == byzcoin.Waiting
		if v.Phase == byzcoin.Halted && m.hostil == nil {
			n.fail("honest validator %d halted: %s", id, v.Reason)
		}
	case byzcoin.ViewChanged:
		n.cabals[m.shard].view = max(n.cabals[m.shard].view, v.View)
		n.stats.Views = max(n.stats.Views, int(v.View))
	case byzcoin.Misbehaviour:
		if n.honest(v.Who) && n.honest(id) && v.What != byzcoin.FaultLeftOut {
			n.fail("validator %d accuses honest %d: %s: %s", id, v.Who, v.What, v.Cause)
		}
	case atomix.Misbehaviour:
		if n.honest(v.Who) && n.honest(id) {
			n.fail("validator %d accuses honest %d: %w", id, v.Who, v.Reason)
		} else if n.honest(id) {
			n.stats.Blamed++
		}
	default:
		n.fail("validator %d delivers a %T", id, value)
	}
}

// chance draws from the run's one source.
func (n *Net) chance(p float64) bool { return n.sim.Random().Float64() < p }

func (n *Net) below(d time.Duration) time.Duration {
	return time.Duration(n.sim.Random().Int64N(int64(d)))
}

func (n *Net) intn(k int) int { return n.sim.Random().IntN(k) }

var errNoAnswer = errors.New("no answer")
