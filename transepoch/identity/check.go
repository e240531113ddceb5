package identity

import (
	"errors"
	"slices"

	"ios/chain"
	"ios/drp"
)

// Checker checks what bodies show by themselves, in one epoch. It takes
// milliseconds for a registration and up to a second for an output of hundreds of
// validators, so it works apart from the state. Those of one state are used one
// after the other: what one has verified the next need not.
type Checker struct {
	book  *Book
	seed  *seed // that of the state that it came from
	known *outputs
}

// outputs remembers the last outputs that were verified. Authors may repeat each
// other's.
type outputs struct {
	list [16]outputKey
	next int
}

type outputKey struct{ record, transcript, random chain.Hash }

func (o *outputs) add(k outputKey) {
	o.list[o.next%len(o.list)] = k
	o.next++
}

// Check checks a body of the current term and gives its Content. Members ack
// nothing else, and all come to the same result. A fault is the author's, except
// for the kind chain.ErrNotReady: that is an output before its seed is final here.
func (c *Checker) Check(b *chain.Body) (*Payload, error) {
	p, err := DecodePayload(b.Payload)
	if err != nil {
		return nil, err
	}
	if len(p.Ops) == 0 {
		return nil, chain.Rule(ErrOp, "a body without ops")
	}
	var seen [kindEnd]int
	for _, op := range p.Ops {
		k := op.Kind()
		if seen[k]++; seen[k] > 1 && (k == KindAlive || k == KindSeed || k == KindOutput) {
			return nil, chain.Rule(chain.ErrDuplicate, "two ops of kind %v in one body", k)
		}
		if n := seen[KindJoin] + seen[KindRotate]; n > MaxRegistrations {
			return nil, chain.Rule(ErrOp, "more than %d registrations and rotations in one body", MaxRegistrations)
		}
		if seen[KindCarried] > MaxCarried {
			return nil, chain.Rule(ErrOp, "more than %d bundles of shards in one body", MaxCarried)
		}
		if err := c.checkOp(op); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (c *Checker) checkOp(op Op) error {
	cur := c.book.current()
	id := cur.rec.Chain
	switch op := op.(type) {
	case *Join:
		return op.check(id, c.book.scheme)
	case *Rotate:
		return op.check(id, c.book.scheme)
	case *Leave:
		return checkOrder(op, id)
	case *Resume:
		return checkOrder(op, id)
	case *Unbond:
		return checkOrder(op, id)
	case *Alive:
		return c.epoch(op.Kind(), op.Epoch, cur.rec.Number)
	case *Base:
		return c.checkBase(op)
	case *Carried:
		return c.checkCarried(op)
	case *Seed:
		if err := c.epoch(op.Kind(), op.Epoch, cur.rec.Number+1); err != nil {
			return err
		}
		// A wrong dealing would count as zero; but if it were for the members of its
		// group alone to refuse it, those who ack the body and those who never do
		// could stop the chain.
		var err error
		op.checked, err = drp.CheckWhole(c.book.Beacon(), op.Choice)
		return err
	case *Output:
		return c.checkOutput(op)
	case *Silent:
		if len(op.IDs) == 0 {
			return chain.Rule(ErrOp, "nobody is silent")
		}
		return c.epoch(op.Kind(), op.Epoch, cur.rec.Number+1)
	}
	return chain.Rule(ErrOp, "an op of kind %v", op.Kind())
}

func (c *Checker) epoch(k Kind, got, want uint64) error {
	if got != want {
		return chain.Rule(ErrOp, "%v for epoch %d, %d is wanted", k, got, want)
	}
	return nil
}

func (c *Checker) checkBase(op *Base) error {
	h := &op.Header
	switch {
	case h.Chain != c.book.params.ChainID:
		return chain.Rule(chain.ErrWrongChain, "a base of chain %s", h.Chain.Short())
	case h.Shard == chain.IdentityShard:
		return chain.Rule(chain.ErrWrongShard, "a base of the identity chain; one of a shard is wanted")
	case op.Cert.Phase != chain.Commit:
		return chain.Rule(chain.ErrProof, "a base with a certificate of phase %d, which does not make a block final", op.Cert.Phase)
	}
	return c.checkCertificate(h, &op.Cert)
}

// checkCertificate checks that a committee which still convinces has made a
// shard's block final.
func (c *Checker) checkCertificate(h *chain.Header, cert *chain.Certificate) error {
	committee, err := c.book.Committee(h.Shard, h.Term())
	if errors.Is(err, chain.ErrNotReady) {
		return chain.Rule(chain.ErrProof, "a block of shard %d of term %v: no shard can be in an epoch that the identity chain is not in", h.Shard, h.Term())
	}
	if err != nil {
		return err
	}
	return cert.Verify(committee.Cosi, h, h.Hash())
}

func (c *Checker) checkOutput(op *Output) error {
	if err := c.epoch(op.Kind(), op.Epoch, c.book.Current().Number+1); err != nil {
		return err
	}
	if c.seed == nil {
		return chain.Rule(chain.ErrNotReady, "an output for epoch %d before its seed is final here; fetch the blocks first", op.Epoch)
	}
	raw := transcript(c.seed.raw, op.Rest)
	key := outputKey{c.book.current().hash, HashTranscript(raw), op.Random}
	if slices.Contains(c.known.list[:], key) {
		return nil
	}
	out, err := drp.Verify(c.book.Beacon(), raw)
	if err != nil {
		return err
	}
	if out.Random != op.Random {
		return chain.Rule(ErrOp, "an output of %s, its transcript gives %s", op.Random.Short(), out.Random.Short())
	}
	c.known.add(key)
	return nil
}
