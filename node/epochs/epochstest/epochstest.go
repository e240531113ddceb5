// Package epochstest makes epochs for tests that need some, without an identity
// chain: the keys of all validators are at hand.
package epochstest

import (
	"crypto/sha256"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/epochs"
	"ios/transepoch/identity"
)

// Chain makes the epochs of a network one after the other.
type Chain struct {
	T      testing.TB
	Scheme cosi.Scheme
	// Secret is a validator's key for votes.
	Secret func(chain.ValidatorID) cosi.Secret
	Book   *identity.Book
	// Bases are the blocks that the next record names, by shard; those without one
	// keep the last.
	Bases map[chain.ShardID]identity.Point
}

// Next makes the record of the next epoch: the same validators change shards as
// the policy has it, or stay, if the course is [identity.Void].
func (c *Chain) Next(course identity.Course) *epochs.Record {
	c.T.Helper()
	return c.NextBut(course, func(*identity.Epoch) {})
}

// NextBut is Next with a change to the record.
func (c *Chain) NextBut(course identity.Course, change func(*identity.Epoch)) *epochs.Record {
	c.T.Helper()
	cur := c.Book.Current()
	plan, err := c.Book.Plan(cur.Number)
	if err != nil {
		c.T.Fatal(err)
	}
	e := *cur
	e.Number, e.Previous, e.Course, e.Old = cur.Number+1, cur.Hash(), course, plan.New
	e.Random = sha256.Sum256(cur.Random[:])
	e.Outgoing, e.Payouts = nil, nil
	e.Shards = append([]identity.ShardState(nil), cur.Shards...)
	for j := range e.Shards {
		e.Shards[j].Plan = e.Number
		if p, ok := c.Bases[chain.ShardID(j)]; ok {
			e.Shards[j].Base = p
		}
	}
	change(&e)
	r := &epochs.Record{Number: e.Number, Epoch: e.AppendTo(nil), Proof: c.proof(cur, e.Hash()).AppendTo(nil)}
	proof, err := chain.DecodeOutcomeProof(r.Proof)
	if err == nil {
		err = c.Book.Add(r.Epoch, proof)
	}
	if err != nil {
		c.T.Fatal(err)
	}
	return r
}

// proof is that of a block of the identity chain with one outcome.
func (c *Chain) proof(cur *identity.Epoch, id chain.Hash) *chain.OutcomeProof {
	c.T.Helper()
	tree := chain.OutcomeTree{{Dest: chain.IdentityShard, Entries: []chain.Entry{{ID: id, Outcome: chain.Committed}}}}
	h := chain.Header{Chain: cur.Chain, Shard: chain.IdentityShard, Epoch: cur.Number, Height: cur.Number, Outcomes: tree.Root()}
	own, err := c.Book.Committee(chain.IdentityShard, cur.Term())
	if err != nil {
		c.T.Fatal(err)
	}
	return tree.Proof(&chain.Block{Header: h, Cert: c.Certify(own, &h)}, 0, 0)
}

// Certify has a quorum of a committee sign a header.
func (c *Chain) Certify(by *chain.Committee, h *chain.Header) (cert chain.Certificate) {
	c.T.Helper()
	cert.Phase = chain.Commit
	msg := chain.VoteBytes(h, h.Hash(), cert.View, cert.Phase)
	k := cosi.NewCollector(by.Cosi, msg)
	for seat, id := range by.Members {
		if k.Count() == by.Cosi.Quorum() {
			break
		}
		share, err := c.Scheme.Sign(c.Secret(id), msg)
		if err == nil {
			err = k.AddShare(seat, share)
		}
		if err != nil {
			c.T.Fatal(err)
		}
	}
	var err error
	if cert.Certificate, _, err = k.Certificate(); err != nil {
		c.T.Fatal(err)
	}
	return cert
}
