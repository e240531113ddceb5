package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
	"ios/node/config"
	"ios/node/onetnet"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// traitor has a validator's keys and its place in the network, and runs none of
// its code.
type traitor struct {
	*onetnet.Net
	n       *network
	id      chain.ValidatorID
	keys    *config.Keys
	targets []chain.ValidatorID
	noise   *rand.ChaCha8
	seen    atomic.Pointer[byzcoin.Proposal]
	signed  []cosi.Signature
	good    []byte
}

// betray takes the place of a validator that does not run.
func betray(t *testing.T, n *network, id chain.ValidatorID) *traitor {
	t.Helper()
	keys, err := n.home(id).LoadKeys()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := n.home(id).Load()
	if err != nil {
		t.Fatal(err)
	}
	var peers []onetnet.Peer
	var targets []chain.ValidatorID
	for i := range n.Genesis.Validators {
		v := &n.Genesis.Validators[i]
		peers = append(peers, onetnet.Peer{ID: chain.ValidatorID(i), Public: v.Identity[:], Address: v.Address})
		if chain.ValidatorID(i) != id {
			targets = append(targets, chain.ValidatorID(i))
		}
	}
	b := &traitor{n: n, id: id, keys: keys, targets: targets, noise: rand.NewChaCha8([32]byte{7})}
	b.Net, err = onetnet.New(onetnet.Config{
		Self: id, Secret: keys.Identity, Chain: n.params.ChainID, Listen: cfg.Listen, Peers: peers,
		Handler: b.hear,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// toShard0 goes before each message: it is for the chain of shard 0.
var toShard0 = []byte{0, 0}

// hear keeps the latest proposal.
func (b *traitor) hear(_ sm.NodeID, payload []byte) {
	if e, err := validator.Decode(b.n.params, payload[len(toShard0):]); err == nil {
		if p, ok := byzcoin.Untag(e.Msg).(*byzcoin.Proposal); ok {
			b.seen.Store(p)
		}
	}
}

// flood sends what make gives to all others as fast as they take it, or at a
// rate a second, if it is not 0.
func (b *traitor) flood(stop <-chan struct{}, rate int, make func(i int) []byte) (sent int) {
	begin := time.Now()
	for ; ; sent++ {
		select {
		case <-stop:
			return sent
		default:
		}
		if rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(sent) * time.Second / time.Duration(rate))))
		}
		payload := make(sent)
		for _, to := range b.targets {
			b.Send(to, toShard0, payload)
		}
		// As long as its own queues are full it sends nothing, so that what
		// arrives is what the others take.
		for b.queued() > 4<<20 {
			select {
			case <-stop:
				return sent
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func (b *traitor) queued() (most int) {
	for _, p := range b.Stats() {
		most = max(most, p.QueuedBytes)
	}
	return most
}

func (b *traitor) random(size int) []byte {
	p := make([]byte, size)
	b.noise.Read(p)
	return p
}

func agreement(m sm.Message) []byte {
	return validator.Agreement(chain.Term{Epoch: firstEpoch}, m).AppendTo(nil)
}

// forgedBody is a body of its own, well signed, full of transactions whose
// witnesses do not verify.
func (b *traitor) forgedBody(number uint64) []byte {
	key := keyIn("traitor", 0, b.n.params.Shards)
	coin := chain.Input{OutPoint: chain.OutPoint{Tx: chain.TxID(b.random(32))}, Owner: addressOf(key), Amount: 5}
	tx := pay(b.n.params, coin, key, addressOf(key))
	txs := make([][]byte, 256)
	for i := range txs {
		coin.Index = uint32(i)
		forged := &chain.Tx{Expiry: tx.Expiry, Inputs: []chain.Input{coin}, Outputs: tx.Outputs, Witnesses: tx.Witnesses}
		b.n.params.Seal(forged)
		txs[i] = forged.Raw
	}
	body := &chain.Body{Chain: b.n.params.ChainID, Epoch: firstEpoch, Author: b.id, Number: number, Payload: chain.PayloadOf(txs, nil)}
	body.SignBody(b.keys.Signing)
	return agreement(&byzcoin.Body{Body: body})
}

// flooding is what a traitor sends.
type flooding struct {
	name   string
	banned bool // it proves that the sender does not follow the protocol
	rate   int  // messages a second; 0 for as many as possible
	make   func(b *traitor, i int) []byte
}

var floodings = []flooding{
	{"forged votes", true, 0, (*traitor).vote},
	{"queries", true, 0, func(_ *traitor, i int) []byte { return agreement(&byzcoin.Query{Nonce: uint64(i)}) }},
	{"bodies of forged transactions", true, 0, func(b *traitor, i int) []byte { return b.forgedBody(uint64(1 + i)) }},
	{"random bytes", true, 0, func(b *traitor, i int) []byte { return b.random(1 + i%4096) }},
	{"messages of 8 MB", true, 0, func(b *traitor, _ int) []byte { return b.random(8 << 20) }},
	{"fetches of all blocks", true, 0, func(_ *traitor, i int) []byte {
		return agreement(&byzcoin.Fetch{From: 1, Count: 1 << 20, MaxBytes: 1 << 30})
	}},
	{"proposals out of turn", true, 0, (*traitor).proposal},
	{"wishes for other views", true, 0, (*traitor).wish},
	// Below the rate at which a peer is cut off for the number alone.
	{"slow queries", false, below, func(_ *traitor, i int) []byte { return agreement(&byzcoin.Query{Nonce: uint64(i)}) }},
	{"slow fetches of all blocks", false, below, func(_ *traitor, i int) []byte {
		return agreement(&byzcoin.Fetch{From: 1, Count: 1 << 20, MaxBytes: 1 << 30})
	}},
	{"pulls of all bodies", false, below, (*traitor).pull},
	{"one good body again and again", false, below, (*traitor).goodBody},
	{"acks of bodies that do not exist", false, below, func(b *traitor, _ int) []byte { return agreement(&byzcoin.Acks{Refs: b.refs(64)}) }},
	{"insistence on bodies that do not exist", false, below, func(b *traitor, _ int) []byte { return agreement(&byzcoin.Insist{Refs: b.refs(64)}) }},
	{"forged certificates", false, below, (*traitor).certificate},
}

// below is a rate that a peer is allowed.
const below = 4000

// flooded lets a traitor do what it can on a watched network.
func (w *watched) flooded(t *testing.T, b *traitor, f flooding) {
	t.Helper()
	const refused = "is refused for a while"
	b.connected(t) // the last ban is over
	for range 3 {
		if l := w.n.leader(t, w.victim); l != b.id {
			w.victim = l // votes go there
		}
		before := w.n.logged(w.victim, refused)
		w.under(t, f.name, func(stop <-chan struct{}) {
			sent := b.flood(stop, f.rate, func(i int) []byte { return f.make(b, i) })
			t.Logf("%s: %d messages to each", f.name, sent)
		})
		if !f.banned || w.n.logged(w.victim, refused) > before {
			return
		}
		if w.n.leader(t, w.victim) == w.victim {
			break // or nobody looked at the votes, since the leader changed
		}
	}
	t.Errorf("%s: the sender kept its connection", f.name)
}

// leader is the one of the shard, as a member sees it.
func (n *network) leader(t *testing.T, member chain.ValidatorID) chain.ValidatorID {
	t.Helper()
	st := n.status(member)
	if st == nil {
		t.Fatal("no status")
	}
	return st.Leader
}

// betrayed is a network under traffic in which a traitor stands in for a
// validator.
func betrayed(t *testing.T) (*watched, *traitor) {
	t.Helper()
	n := startNetwork(t, 1, 4)
	load := startTraffic(t, n, trafficConfig{owners: 4, coins: 16, batch: 16, pace: 500 * time.Millisecond})
	traitor, victim := n.members(0)[3], n.members(0)[0] // the leader: votes go there
	load.more(t, 50, 20*time.Second)
	n.kill(traitor)
	w := watch(t, n, load, victim)
	w.lasts = 3 * time.Second // a change of the view takes a second of it
	return w, betray(t, n, traitor)
}

// connected waits until the others let the traitor in.
func (b *traitor) connected(t *testing.T) {
	t.Helper()
	await(t, 20*time.Second, func() string {
		for _, p := range b.Stats() {
			if !p.Connected {
				return fmt.Sprintf("the traitor is not connected to v%d: %s", p.ID, p.LastError)
			}
		}
		return ""
	})
}

// end lets the true validator come back, and compares everything.
func (w *watched) end(t *testing.T, b *traitor) {
	t.Helper()
	b.Close()
	w.n.start(b.id)
	w.n.awaitReady(b.id)
	w.load.stop(t, time.Minute)
	verify(t, w.n, w.load)
}

// A validator of the committee floods the others with votes that do not verify,
// which are dear to check: it loses its connection, the shard keeps its rate,
// memory stays bounded.
func TestATraitorFloodsItsCommittee(t *testing.T) {
	w, b := betrayed(t)
	w.flooded(t, b, floodings[0])
	w.end(t, b)
}

// All that a traitor can do, each from the beginning: a ban from the last would
// hide the next.
func TestATraitorFloodsInEveryWay(t *testing.T) {
	soak(t)
	for _, f := range floodings {
		t.Run(f.name, func(t *testing.T) {
			w, b := betrayed(t)
			w.flooded(t, b, f)
			w.end(t, b)
		})
	}
}

// latest is the last proposal that the traitor has seen.
func (b *traitor) latest() *byzcoin.Proposal {
	if p := b.seen.Load(); p != nil {
		return p
	}
	return &byzcoin.Proposal{Header: chain.Header{Chain: b.n.params.ChainID, Epoch: firstEpoch, Height: 1}}
}

// vote is a vote of its seat for the block that is being decided, by its own
// key, and for other bytes.
func (b *traitor) vote(i int) []byte {
	p := b.latest()
	mask := cosi.NewMask(len(b.n.members(0)))
	mask.Set(slices.Index(b.n.members(0), b.id))
	return agreement(&byzcoin.Share{
		Height: p.Header.Height, View: p.View, Phase: chain.Prepare + chain.Phase(i%2), Block: p.Header.Hash(),
		Votes: cosi.Contribution{Mask: mask, Sig: b.sign(i)},
	})
}

// sign gives one of a few signatures over nothing of importance.
func (b *traitor) sign(i int) cosi.Signature {
	for len(b.signed) < 16 {
		s, err := cosi.BLS{}.Sign(b.keys.Cosi, b.random(32))
		if err != nil {
			panic(err) // the key was used before
		}
		b.signed = append(b.signed, s)
	}
	return b.signed[i%len(b.signed)]
}

// proposal is a block for the next height that is not its turn.
func (b *traitor) proposal(i int) []byte {
	p := *b.latest()
	p.View += uint64(i % 5)
	p.Header.Height += uint64(i % 3)
	p.Header.Outcomes = chain.Hash(b.random(32))
	copy(p.Signature[:], b.random(64))
	return agreement(&p)
}

// wish is a wish for another view that it did not sign.
func (b *traitor) wish(i int) []byte {
	v := &byzcoin.ViewChange{Change: byzcoin.SignedChange{Seat: uint16(slices.Index(b.n.members(0), b.id)), View: b.latest().View + 1 + uint64(i)}}
	copy(v.Change.Signature[:], b.random(64))
	return agreement(v)
}

// pull asks for all bodies of the last proposal, and for old ones.
func (b *traitor) pull(i int) []byte {
	refs := slices.Clone(b.latest().Refs)
	for len(refs) < 64 {
		refs = append(refs, chain.BodyRef{Author: b.targets[len(refs)%len(b.targets)], Number: uint64(1 + len(refs)/3)})
	}
	return agreement(&byzcoin.Pull{Refs: refs})
}

// goodBody is a body of its own that breaks no rule, always the same.
func (b *traitor) goodBody(int) []byte {
	if b.good == nil {
		body := &chain.Body{Chain: b.n.params.ChainID, Epoch: firstEpoch, Author: b.id, Number: 1 << 20, Payload: chain.PayloadOf(nil, nil)}
		body.SignBody(b.keys.Signing)
		b.good = agreement(&byzcoin.Body{Body: body})
	}
	return b.good
}

// refs are names of bodies of its own that do not exist.
func (b *traitor) refs(count int) []chain.BodyRef {
	refs := make([]chain.BodyRef, count)
	for i := range refs {
		refs[i] = chain.BodyRef{Author: b.id, Number: uint64(1 + i), Hash: chain.Hash(b.random(32))}
	}
	return refs
}

// certificate claims that a quorum has decided a block that does not exist.
func (b *traitor) certificate(i int) []byte {
	p := b.latest()
	mask := cosi.NewMask(len(b.n.members(0)))
	for seat := range cosi.Quorum(mask.Seats()) {
		mask.Set(seat)
	}
	c := &byzcoin.Certified{Height: p.Header.Height + 1, Block: chain.Hash(b.random(32))}
	c.Cert = chain.Certificate{View: p.View, Phase: chain.Commit, Certificate: cosi.Certificate{Mask: mask, Sig: b.sign(i)}}
	return agreement(c)
}
