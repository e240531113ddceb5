package beacontest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/chain/vrf"
	"ios/drp"
	"ios/drp/pvss"
	"ios/internal/sm"
	"ios/transepoch/beacon"
	"ios/transepoch/identity"
)

// Network is an identity chain of validators whose keys are all here.
type Network struct {
	Genesis     *chain.Genesis
	Links       []beacon.Link // from epoch 2
	Transcripts [][]byte      // of each of them; empty if void

	scheme cosi.Scheme
	keys   []keys
	state  *identity.State
	parent chain.Hash
	last   *chain.Block
}

type keys struct {
	signing *sig.Key
	cosi    cosi.Secret
	pvss    pvss.SecretKey
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// stream is a reader of the hashes of a name and a counter.
type stream struct {
	name string
	n    int
	left []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.left) < len(p) {
		h := sha256.Sum256(fmt.Appendf(nil, "%s/%d", s.name, s.n))
		s.left, s.n = append(s.left, h[:]...), s.n+1
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

func seed(format string, args ...any) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return h[:]
}

// New is a test network of one shard. With a group size the beacon has several
// groups if there are more than 16 validators.
func New(scheme cosi.Scheme, validators, groupSize int) *Network {
	g := &chain.Genesis{Name: "beacontest", TestNetwork: true, Shards: 1, Seed: chain.Hash{1}, Policy: chain.DefaultPolicy(), Allocations: []chain.Output{{Amount: 5}}}
	g.Policy.EpochLength, g.Policy.GroupSize = time.Minute, groupSize
	n := &Network{Genesis: g, scheme: scheme}
	for i := range validators {
		k := keys{must(sig.FromSeed(seed("signing %d", i))), must(cosi.SecretFromSeed(seed("cosi %d", i))), must(pvss.SecretFromSeed(seed("pvss %d", i)))}
		n.keys = append(n.keys, k)
		lottery := must(vrf.SecretFromSeed(seed("vrf %d", i)))
		v := chain.Validator{
			Name: fmt.Sprint("v", i), Address: fmt.Sprintf("host%d:7600", i), Identity: must(sig.FromSeed(seed("identity %d", i))).Public(),
			Signing: k.signing.Public(), Cosi: must(scheme.Public(k.cosi)), VRF: lottery.Public(), PVSS: must(k.pvss.Public()),
			Possession: must(scheme.Prove(k.cosi)),
		}
		v.VRFProof = must(lottery.ProvePossession(v.ProofContext()))
		v.PVSSProof = must(pvss.ProvePossession(k.pvss, v.ProofContext(), &stream{name: "possession"}))
		g.Validators = append(g.Validators, v)
	}
	if err := identity.CheckGenesis(g, scheme); err != nil {
		panic(err)
	}
	n.state, n.parent = must(identity.NewState(g, scheme)), g.ID()
	return n
}

// Book is the book of the current epoch.
func (n *Network) Book() *identity.Book { return n.state.Book().Clone() }

// File proves the value of the current epoch.
func (n *Network) File() []byte {
	var b bytes.Buffer
	w := must(beacon.NewWriter(&b, beacon.Head{Chain: n.Genesis.ID(), Epoch: uint64(len(n.Links)) + 1}))
	var transcript []byte
	for i, l := range n.Links {
		if err := w.Link(l); err != nil {
			panic(err)
		}
		transcript = n.Transcripts[i]
	}
	if err := w.Close(transcript); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// block makes a final block of a body of ops.
func (n *Network) block(author chain.ValidatorID, ops ...identity.Op) *identity.Report {
	b := &chain.Body{Chain: n.Genesis.ID(), Shard: chain.IdentityShard, Epoch: n.state.Next().Epoch, Author: author, Payload: (&identity.Payload{Ops: ops}).AppendTo(nil)}
	b.Content = must(n.state.Checker().Check(b))
	h := chain.Header{Chain: n.Genesis.ID(), Shard: chain.IdentityShard, Epoch: b.Epoch, Height: n.state.Height() + 1, Parent: n.parent}
	h.Outcomes = n.state.Execute(&h, []*chain.Body{b})
	c := must(n.state.Book().Committee(chain.IdentityShard, h.Term()))
	n.last = &chain.Block{Header: h, Cert: n.certify(c, &h)}
	n.state.Finalize(n.last)
	n.parent = h.Hash()
	if err := n.state.Err(); err != nil {
		panic(err)
	}
	return n.state.Report()
}

func (n *Network) certify(c *chain.Committee, h *chain.Header) chain.Certificate {
	cert := chain.Certificate{Phase: chain.Commit}
	msg := chain.VoteBytes(h, h.Hash(), 0, chain.Commit)
	k := cosi.NewCollector(c.Cosi, msg)
	for seat, id := range c.Members {
		if k.Count() < c.Cosi.Quorum() {
			if err := k.AddShare(seat, must(n.scheme.Sign(n.keys[id].cosi, msg))); err != nil {
				panic(err)
			}
		}
	}
	var err error
	if cert.Certificate, _, err = k.Certificate(); err != nil {
		panic(err)
	}
	return cert
}

// ended takes note of an epoch that began.
func (n *Network) ended(rep *identity.Report, transcript []byte) {
	proof, ok := rep.Proof(n.last, rep.Epoch.Hash())
	if !ok {
		panic("no outcome shows the record")
	}
	n.Links = append(n.Links, beacon.Link{Record: rep.Epoch.AppendTo(nil), Proof: proof.AppendTo(nil)})
	n.Transcripts = append(n.Transcripts, transcript)
}

// run is a beacon under way.
type run struct {
	net     *Network
	servers []*drp.Machine
}

// begin runs the beacon up to the final seed.
func (n *Network) begin() (x *run, seed *identity.Seed, signOff []byte) {
	cfg := n.state.Book().Beacon()
	x = &run{net: n}
	for i := range n.keys {
		id := chain.ValidatorID(i)
		x.servers = append(x.servers, must(drp.NewServer(cfg, drp.Keys{
			Self: id, Secret: n.keys[i].pvss, Signing: n.keys[i].signing, Random: &stream{name: fmt.Sprint("deal ", i, cfg.Epoch)},
		}, nil)))
	}
	for i := range x.servers {
		x.pump(i, drp.Begin{})
	}
	for _, v := range x.pump(0, drp.Lead{}) {
		if p, ok := v.(drp.Propose); ok {
			seed = &identity.Seed{Epoch: cfg.Epoch, Choice: p.Choice}
		}
	}
	rep := n.block(0, seed)
	signOff, ok := rep.SignOff(n.last)
	if !ok {
		panic("the seed was not taken: " + string(rep.Ops[0].Reason))
	}
	return x, seed, signOff
}

// Epoch goes to the next epoch with an output of the beacon.
func (n *Network) Epoch() {
	x, seed, signOff := n.begin()
	for i := range x.servers {
		x.pump(i, drp.Decided{Choice: seed.Choice, SignOff: signOff})
	}
	for _, v := range x.pump(0, drp.Collect{}) {
		if res, ok := v.(drp.Result); ok {
			n.ended(n.block(0, identity.NewOutput(seed.Epoch, res.Random, seed.Choice, res.Transcript)), res.Transcript)
			return
		}
	}
	panic("the beacon has no output")
}

// Void goes to the next epoch without one: all members say that all but the first
// are silent. There must be one group.
func (n *Network) Void() {
	n.begin()
	op := &identity.Silent{Epoch: n.state.Next().Epoch + 1}
	for i := range n.keys[1:] {
		op.IDs = append(op.IDs, chain.ValidatorID(i+1))
	}
	for i := range n.keys {
		if rep := n.block(chain.ValidatorID(i), op); rep.Epoch != nil {
			n.ended(rep, nil)
			return
		}
	}
	panic("the epoch is not void")
}

// pump gives one server an event and carries all messages that follow.
func (x *run) pump(to int, ev sm.Event) (delivered []any) {
	type item struct {
		to int
		ev sm.Event
	}
	now := time.Unix(1000, 0)
	for queue := []item{{to, ev}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0].to
		for _, e := range x.servers[at].Step(now, queue[0].ev) {
			switch e := e.(type) {
			case sm.Deliver:
				delivered = append(delivered, e.Value)
			case sm.Send:
				for _, peer := range e.To {
					queue = append(queue, item{int(peer), sm.Receive{From: sm.NodeID(at), Msg: e.Msg}})
				}
			}
		}
	}
	return delivered
}
