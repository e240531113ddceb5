package council

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/chain/vrf"
	"ios/drp/pvss"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func seedOfTest(parts ...any) []byte {
	h := sha256.Sum256(fmt.Append(nil, parts...))
	return h[:]
}

// secrets are all keys of a validator.
type secrets struct {
	identity, signing *sig.Key
	cosi              cosi.Secret
	vrf               vrf.Secret
	pvss              pvss.SecretKey
}

var scheme = cositest.New("council")

func newSecrets(i int) *secrets {
	return &secrets{
		identity: must(sig.FromSeed(seedOfTest("identity", i))), signing: must(sig.FromSeed(seedOfTest("signing", i))),
		cosi: cositest.Secret(i), vrf: must(vrf.SecretFromSeed(seedOfTest("vrf", i))), pvss: must(pvss.SecretFromSeed(seedOfTest("pvss", i))),
	}
}

func (s *secrets) validator(i int) chain.Validator {
	v := chain.Validator{
		Name: fmt.Sprint("v", i), Address: fmt.Sprintf("host%d:7600", i),
		Identity: s.identity.Public(), Signing: s.signing.Public(), Cosi: must(scheme.Public(s.cosi)),
		VRF: s.vrf.Public(), PVSS: must(s.pvss.Public()), Possession: must(scheme.Prove(s.cosi)),
	}
	v.VRFProof = must(s.vrf.ProvePossession(v.ProofContext()))
	v.PVSSProof = must(pvss.ProvePossession(s.pvss, v.ProofContext(), rand.NewChaCha8([32]byte(seedOfTest("proof", i)))))
	return v
}

// plan is what a world is made from.
type plan struct {
	validators int
	joiners    int // who follow the chain until they join
	shards     int
	seed       uint64
	faults     sim.Faults
	policy     func(*chain.Policy)
	still      bool // shards make no blocks
	anchored   bool // who starts has the records of all epochs
	schemes    map[sm.NodeID]cosi.Scheme
	sabotage   sabotage
}

// world is an identity chain in the simulator, with everything that must hold.
type world struct {
	t       testing.TB
	plan    plan
	net     *sim.Network
	genesis *chain.Genesis
	keys    []*secrets
	held    map[sm.NodeID][]*secrets // of those who have more or others than that
	ids     []sm.NodeID
	lives   map[sm.NodeID]int
	hostile map[sm.NodeID]bool
	mine    map[sm.NodeID][]memory
	seen    witness
	schemes map[sm.NodeID]cosi.Scheme // of those that have one of their own

	blocks   map[uint64]chain.Hash
	top      uint64
	bodies   map[chain.Hash]*chain.Body
	book     *identity.Book
	choice   []byte // that the seed of the coming epoch fixed
	verified int    // transcripts
	records  []NewEpoch
	hashes   map[uint64]chain.Hash // of records, by epoch
	outputs  map[uint64]chain.Hash // by epoch, of whoever collected
	status   map[sm.NodeID]Status
	agreed   map[sm.NodeID]byzcoin.Status
	answers  map[any]Answer
	accused  []Misbehaviour
	faulty   []byzcoin.Misbehaviour
	seeders  []chain.ValidatorID // whose seeds were ordered
	ops      map[identity.Kind]int
	checks   map[sm.NodeID]map[chain.Hash]int // of bodies
	heights  []uint64
	chaotic  bool
	fromSnap int // restarts with a snapshot
}

// memory is what a validator has besides its log.
type memory struct {
	from  int // records that are in the snapshot
	state []byte
	saved []byte
}

func newWorld(t testing.TB, p plan) *world {
	t.Helper()
	w := &world{
		t: t, plan: p, held: map[sm.NodeID][]*secrets{}, lives: map[sm.NodeID]int{}, hostile: map[sm.NodeID]bool{}, mine: map[sm.NodeID][]memory{},
		blocks: map[uint64]chain.Hash{}, bodies: map[chain.Hash]*chain.Body{}, hashes: map[uint64]chain.Hash{},
		outputs: map[uint64]chain.Hash{}, status: map[sm.NodeID]Status{}, agreed: map[sm.NodeID]byzcoin.Status{}, answers: map[any]Answer{}, ops: map[identity.Kind]int{}, checks: map[sm.NodeID]map[chain.Hash]int{},
	}
	shards := max(p.shards, 1)
	w.heights = make([]uint64, shards)
	g := &chain.Genesis{Name: "test", TestNetwork: true, Shards: shards, Seed: chain.Hash{9}, Policy: chain.DefaultPolicy(), Allocations: []chain.Output{{Amount: 5}}}
	g.Policy.EpochLength, g.Policy.Delta, g.Policy.BlockInterval = 4*time.Second, 50*time.Millisecond, 300*time.Millisecond
	g.Policy.AbsentEpochs = 2
	if p.policy != nil {
		p.policy(&g.Policy)
	}
	for i := range p.validators + p.joiners {
		w.keys = append(w.keys, newSecrets(i))
		w.ids = append(w.ids, sm.NodeID(i))
		if i < p.validators {
			g.Validators = append(g.Validators, w.keys[i].validator(i))
		}
	}
	w.genesis = g
	if err := identity.CheckGenesis(g, scheme); err != nil {
		t.Fatal(err)
	}
	w.book = must(identity.NewBook(g, scheme))
	w.schemes = p.schemes
	w.seen = witness{map[string][]byte{}, map[uint64]map[chain.Hash]bool{}, map[sm.NodeID]sim.Filter{}}
	w.net = sim.New(sim.Config{
		Seed: p.seed, Nodes: w.ids, Faults: p.faults, Factory: w.build, Answer: w.answer, Delivered: w.delivered, Check: w.check,
		Decode: func(raw []byte) (sm.Message, error) {
			e, err := Decode(raw)
			if err != nil {
				return nil, err
			}
			return e, nil
		},
	})
	for _, id := range w.ids {
		w.net.FilterIn(id, w.hears(id))
	}
	return w
}

// ring finds the keys that a validator has.
func (w *world) ring(id sm.NodeID) func(sig.PublicKey) (Keys, bool) {
	return func(signing sig.PublicKey) (Keys, bool) {
		list := w.held[id]
		if list == nil {
			list = w.keys[id : id+1]
		}
		for _, k := range list {
			if k.signing.Public() == signing {
				cosign := func(msg []byte) (cosi.Signature, error) { return scheme.Sign(k.cosi, msg) }
				return Keys{byzcoin.Voice{Key: k.signing, Cosign: cosign, Vote: must(scheme.Public(k.cosi))}, k.vrf, k.pvss}, true
			}
		}
		return Keys{}, false
	}
}

func (w *world) config(id sm.NodeID) Config {
	var anchors byzcoin.Anchors
	if w.plan.anchored {
		anchors = annals{w}
	}
	return Config{
		Anchors: anchors,
		Genesis: w.genesis, Self: id, Policy: byzcoin.Policy{BlockInterval: w.genesis.Policy.BlockInterval},
		Keys:   w.ring(id),
		Random: rand.NewChaCha8([32]byte(seedOfTest("random", id, w.lives[id], w.plan.seed))),
	}
}

func (w *world) build(id sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
	w.lives[id]++
	if !w.hostile[id] {
		w.recorded(id, records)
	}
	if s := &w.plan.sabotage; s.forgets && s.forgetful == id {
		records = slices.DeleteFunc(slices.Clone(records), func(p sm.Persist) bool { return p.Kind == RecordBeacon })
	}
	total := len(records)
	var state *identity.State
	var saved []byte
	mine := slices.DeleteFunc(w.mine[id], func(m memory) bool { return m.from > len(records) })
	w.mine[id] = mine
	if n := len(mine); n > 0 {
		m := &mine[n-1]
		state, saved, records = must(identity.DecodeState(w.genesis, w.scheme(id), m.state)), m.saved, records[m.from:]
		w.fromSnap++
	} else {
		state = must(identity.NewState(w.genesis, w.scheme(id)))
	}
	c, err := New(w.config(id), state, saved, slices.Values(records))
	if err != nil {
		w.t.Fatalf("validator %d does not restart: %v", id, err)
	}
	m := &counted{c, total, w.spoil}
	return m, m.Step(now, Start{})
}

func (w *world) scheme(id sm.NodeID) cosi.Scheme {
	if s := w.schemes[id]; s != nil {
		return s
	}
	return scheme
}

// counted is a core that counts its records.
type counted struct {
	*Core
	returned int
	spoil    func(*Core)
}

func (m *counted) Step(now time.Time, ev sm.Event) []sm.Effect {
	m.spoil(m.Core)
	out := m.Core.Step(now, ev)
	for _, e := range out {
		if _, ok := e.(sm.Persist); ok {
			m.returned++
		}
	}
	return out
}

// snap takes a snapshot of a validator. It counts once the records before it are
// durable.
func (w *world) snap(id sm.NodeID) {
	if m, ok := w.net.Machine(id).(*counted); ok {
		state, saved := m.Snapshot()
		w.mine[id] = append(w.mine[id], memory{m.returned, state.AppendTo(nil), bytes.Clone(saved)})
	}
}

func (w *world) core(id sm.NodeID) *Core {
	if m, ok := w.net.Machine(id).(*counted); ok {
		return m.Core
	}
	return nil
}

// answer is the owner's part.
func (w *world) answer(id sm.NodeID, e sm.Effect) (time.Duration, sm.Event) {
	switch e := e.(type) {
	case *Check:
		done := e.Run()
		if p, err := identity.DecodePayload(payloadOf(done.body)); w.plan.sabotage.blind && err == nil {
			done.result.Content, done.result.Err = p, nil
		}
		if done.body != nil {
			if w.checks[id] == nil {
				w.checks[id] = map[chain.Hash]int{}
			}
			w.checks[id][done.body.Hash]++
		}
		return time.Duration(1+w.net.Random().IntN(10)) * time.Millisecond, Events{done}
	case byzcoin.ReadHeader:
		return 0, byzcoin.HeaderRead{Height: e.Height, Hash: w.headers(id, byzcoin.Serve{From: e.Height, Count: 1}).List[0].Hash()}
	case byzcoin.Serve:
		w.serve(id, e)
	case byzcoin.ReadBody:
		for _, p := range w.net.Records(id) {
			if p.Kind == byzcoin.RecordBody || p.Kind == byzcoin.RecordPulled {
				if b, err := chain.DecodeBody(p.Data); err == nil && b.Ref() == e.Ref && b.Term() == e.Term {
					w.net.Inject(id, e.To, Agreement(e.Term, &byzcoin.Body{Body: b}))
					break
				}
			}
		}
	default:
		w.net.Fail(fmt.Errorf("validator %d asks for a %T", id, e))
	}
	return 0, nil
}

func payloadOf(b *chain.Body) []byte {
	if b == nil {
		return nil
	}
	return b.Payload
}

func (w *world) serve(id sm.NodeID, e byzcoin.Serve) {
	if e.Headers {
		w.net.Inject(id, e.To, Agreement(chain.Term{}, w.headers(id, e)))
		return
	}
	stored := map[chain.Hash][]byte{}
	var blocks [][]byte
	var bodies [][][]byte
	for _, p := range w.net.Records(id) {
		switch p.Kind {
		case byzcoin.RecordBody, byzcoin.RecordPulled:
			stored[must(chain.DecodeBody(p.Data)).Hash] = p.Data
		case byzcoin.RecordFinal:
			b := must(chain.DecodeBlock(p.Data))
			if h := b.Header.Height; h < e.From || h >= e.From+uint64(e.Count) {
				continue
			}
			var list [][]byte
			for _, ref := range b.Refs {
				list = append(list, stored[ref.Hash])
			}
			blocks, bodies = append(blocks, p.Data), append(bodies, list)
		}
	}
	if len(blocks) > 0 {
		w.net.Inject(id, e.To, Agreement(chain.Term{}, must(byzcoin.NewSyncReply(blocks, bodies))))
	}
}

// epoch is the number of the current one, as far as anybody knows.
func (w *world) epoch() uint64 { return w.book.Current().Number }

// reached reports whether all honest validators that are up are in an epoch.
func (w *world) reached(epoch uint64) func() bool {
	return func() bool {
		for _, id := range w.ids {
			if c := w.core(id); c != nil && !w.hostile[id] && c.state.Book().Current().Number < epoch {
				return false
			}
		}
		return w.epoch() >= epoch
	}
}

func (w *world) eventually(what string, cond func() bool, limit time.Duration) {
	w.t.Helper()
	if w.net.RunUntil(cond, limit) {
		return
	}
	w.ok()
	for _, id := range w.ids {
		if c := w.core(id); c != nil {
			w.t.Logf("validator %d: height %d term %v view %d, %d seeds held back, %d wait, %d fly: %+v", id, c.Point().Height, c.bft.Term(), c.bft.View(), len(c.gate.seeds), len(c.outbox.waiting), len(c.outbox.flying), c.status())
		} else {
			w.t.Logf("validator %d is down", id)
		}
	}
	w.t.Fatalf("seed %d: after %v of simulated time still not: %s (height %d, epoch %d)", w.plan.seed, w.net.Elapsed(), what, w.top, w.epoch())
}

func (w *world) ok() {
	w.t.Helper()
	if err := w.net.Err(); err != nil {
		w.t.Fatal(err)
	}
}

// toEpoch runs until all are in an epoch.
func (w *world) toEpoch(epoch uint64, limit time.Duration) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("epoch %d", epoch), w.reached(epoch), limit)
	w.ok()
}
