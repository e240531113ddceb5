package node

import (
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/store"
	"ios/internal/sm"
	"ios/node/api"
	"ios/node/council"
	"ios/node/epochs"
	"ios/transepoch/identity"
)

// assembly is this validator's part in the identity chain, which all validators
// make together. It runs where epochs end.
type assembly struct {
	runner
	state *identity.State // from load to restore
	core  *council.Core
	slow  errands // what takes long
	funds atomic.Pointer[api.Funds]

	mu     sync.Mutex
	status council.Status // as it was told last
	failed failedRun
}

var _ owner = (*assembly)(nil)

func newAssembly(n *Node) *assembly {
	a := &assembly{slow: errands{node: n}}
	a.runner.init(n, chain.IdentityShard, n.chainDir(chain.IdentityShard), a)
	return a
}

// assembly is the identity chain, or nil where it does not run.
func (r *roster) assembly() *assembly {
	if x := r.runner(chain.IdentityShard); x != nil {
		a, _ := x.owner.(*assembly)
		return a
	}
	return nil
}

// maxRegistry bounds the registry in a snapshot: the records that a book keeps,
// and as many validators again.
const maxRegistry = 1 << 30

// load implements owner.
func (a *assembly) load(snapshot io.Reader) (err error) {
	g := a.node.net.genesis
	if snapshot == nil {
		a.state, err = identity.NewState(g, cosi.BLS{})
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(snapshot, maxRegistry+1))
	if err == nil && len(raw) > maxRegistry {
		err = errors.New("the registry is larger than any can be")
	}
	if err == nil {
		a.state, err = identity.DecodeState(g, cosi.BLS{}, raw)
	}
	return err
}

// restore implements owner.
func (a *assembly) restore(saved []byte, records iter.Seq[sm.Persist]) (machine, error) {
	w := a.node.net
	agreement := w.agreement(a.node.voice, chain.IdentityShard)
	core, err := council.New(council.Config{
		Anchors: agreement.Anchors,
		Genesis: w.genesis, Self: w.self, Policy: agreement.Policy, Sources: agreement.Sources,
		Keys: a.node.keys, Random: rand.Reader,
	}, a.state, saved, records)
	if err != nil {
		return nil, err
	}
	a.core, a.state = core, nil
	a.noteFunds()
	return core, nil
}

func (a *assembly) begin() sm.Event { return council.Start{} }

// news implements owner: where the shards are that run here. Of epochs it is the
// identity chain that tells the others.
func (a *assembly) news() (list []sm.Event) {
	for _, m := range a.node.members() {
		if at := m.shownAt.Load(); at != nil {
			list = append(list, *at)
		}
	}
	return list
}

// image implements owner.
func (a *assembly) image(bool) (image, error) {
	if err := a.core.Err(); err != nil {
		return image{}, err
	}
	state, saved := a.core.Snapshot()
	raw := state.AppendTo(nil)
	return image{state.Height(), saved, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	}}, nil
}

func (a *assembly) decode(payload []byte) (sm.Message, error) { return council.Decode(payload) }

func (a *assembly) agreement(term chain.Term, msg sm.Message) sm.Message {
	return council.Agreement(term, msg)
}

func (a *assembly) checked(list []sm.Event) sm.Event { return council.Events(list) }

// effect implements owner. The protocol bounds what is to be checked.
func (a *assembly) effect(e sm.Effect) {
	if c, ok := e.(*council.Check); ok {
		a.slow.add(int(c.Author), func() {
			a.verdicts.add(c.Run(), 0)
			a.verdicts.flush()
		})
	}
}

// delivered implements owner.
func (a *assembly) delivered(value any) func() {
	switch v := value.(type) {
	case council.Decided:
		a.view.final(v.Block.Header.Height, time.Now())
		a.snap.moved = !v.Synced
		a.noteFunds()
		return func() { a.tellShards(v) }
	case council.NewEpoch:
		return func() { a.slow.add(forNobody, func() { a.newEpoch(v) }) }
	case council.Status:
		a.told(v)
	case council.Answer:
		return func() { v.Tag.(chan council.Answer) <- v }
	case council.Misbehaviour:
		a.node.misbehaved(v.Who, errors.New(v.Cause), false)
	}
	return nil
}

// tellShards brings what a block has for the shards that run here to them. Each
// of their members does the same; what an old block has is of no use any more.
func (a *assembly) tellShards(d council.Decided) {
	if d.Block.Header.Epoch+1 < a.node.net.book.Number() {
		return
	}
	for i := range d.Report.Tree {
		m := a.node.member(d.Report.Tree[i].Dest)
		if m == nil {
			continue
		}
		b := d.Report.Bundle(d.Block, i)
		go m.post(atomix.CarryIn{Bundle: b, All: true})
	}
}

// newEpoch tells the process of an epoch whose record is final here.
func (a *assembly) newEpoch(v council.NewEpoch) {
	r := &epochs.Record{Number: v.Epoch.Number, Epoch: v.Record, Proof: v.Proof.AppendTo(nil)}
	if err := a.node.NewEpoch(r); err != nil {
		a.log.Errorf("the record of epoch %d: %v", r.Number, err)
	}
}

func (a *assembly) told(s council.Status) {
	a.mu.Lock()
	before := a.status
	a.status = s
	a.failed.note(&before, &s)
	a.mu.Unlock()
	if s.Phase != before.Phase || s.View != before.View || s.Known && (s.Round != before.Round || !before.Known) {
		a.log.Infof("epoch %d, %v: %s", s.Epoch, s.Phase, s.Reason)
	}
}

// recorded implements owner. Of the identity chain nothing is looked up by id.
func (a *assembly) recorded(r store.Record) (uint64, func() ([]chain.TxID, error)) {
	if r.Kind != council.RecordOutcomes {
		return 0, nil
	}
	return council.OutcomesHeight(r.Data), func() ([]chain.TxID, error) { return nil, nil }
}
