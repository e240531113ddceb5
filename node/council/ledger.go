package council

import (
	"time"

	"ios/chain"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// decided is a final block that was not delivered yet.
type decided struct {
	report *identity.Report
}

// ledger is the Application of the agreement. Reports are kept, since the next
// execution may begin before a final block is delivered.
type ledger struct{ *Core }

func (l ledger) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	return l.state.Execute(h, bodies)
}

func (l ledger) Revert() { l.state.Revert() }

func (l ledger) Finalize(b *chain.Block) {
	l.state.Finalize(b)
	r := l.state.Report()
	l.final = append(l.final, decided{r})
	if raw, ok := r.SignOff(b); ok {
		l.sign = raw
	}
	if r.Epoch == nil || l.state.Err() != nil {
		return
	}
	l.sign, l.began = nil, time.Time{}
	if proof, ok := r.Proof(b, r.Epoch.Hash()); ok {
		l.epochs = append(l.epochs, NewEpoch{Epoch: r.Epoch, Record: r.Epoch.AppendTo(nil), Proof: proof})
	}
}

// Next is the term of the next block. An epoch that the registry cannot enter has
// no committee, so that nothing more is voted on.
func (l ledger) Next() chain.Term {
	if l.state.Err() != nil {
		return chain.Term{Epoch: l.coming()}
	}
	return l.state.Next()
}

// committees are those of the identity chain, as its state knows them.
type committees struct{ state *identity.State }

func (k committees) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	return k.state.Book().Committee(shard, term)
}

// finalized consumes a final block.
func (c *Core) finalized(v *byzcoin.Final) {
	c.stirred, c.gate.dirty = true, true
	f := c.final[0]
	c.final = c.final[1:]
	c.persistFinal(&f)
	c.landed(v, f.report)
	c.warnings = c.state.Warnings()
	c.deliver(Decided{v.Block, v.Bodies, f.report, v.Synced})
	if f.report.Epoch == nil {
		return
	}
	c.began = c.now
	for _, e := range c.epochs {
		if e.Epoch.Number == f.report.Epoch.Number {
			c.deliver(e)
		}
	}
	if n := len(c.epochs); n > 1 && len(c.final) == 0 {
		c.epochs = append([]NewEpoch(nil), c.epochs[n-1])
	}
}
