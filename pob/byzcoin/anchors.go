package byzcoin

import (
	"fmt"

	"ios/chain"
	"ios/internal/sm"
)

// Anchors is what is known of a chain besides its certificates: the blocks that the
// records of epochs name. The keys of a committee that is long out of office may be
// anybody's; what it has certified counts if a known block leads down to it.
type Anchors interface {
	// Convinces reports whether the certificates of a term's committee show by
	// themselves that a block is final. Where they do no longer they never will again.
	Convinces(shard chain.ShardID, term chain.Term) bool
	// Around are the known blocks next to a height: the highest at or below it and
	// the lowest above it, each of height 0 if there is none. All blocks of a term
	// that does not convince are below one.
	Around(shard chain.ShardID, height uint64) (below, above Point)
}

// ReadHeader asks the runner to read the hash of a final block from its log. The answer
// is [HeaderRead].
type ReadHeader struct{ Height uint64 }

// HeaderRead answers a ReadHeader.
type HeaderRead struct {
	Height uint64
	Hash   chain.Hash
}

// past reports whether the certificates of the machine's term do not convince any
// more. The machine is then idle: it hears of nothing but blocks on the trail.
func (c *Chain) past() bool {
	return c.cfg.Anchors != nil && !c.cfg.Anchors.Convinces(c.cfg.Shard, c.m.term())
}

const fetchingPast = "fetching the blocks of earlier terms"

// tellPast says that we are on the way through past terms, in place of the machine.
func (c *Chain) tellPast() {
	s := Status{Phase: Syncing, Reason: fetchingPast, Term: c.term, Height: c.m.height, View: c.m.View(), Leader: c.m.Leader()}
	if _, behind := c.behind(); !behind {
		s.Reason = fmt.Sprintf("looking for validators that have the blocks above %d: the committee of term %v is long out of office", s.Height, s.Term)
	}
	if c.waited.Phase != s.Phase || c.waited.Reason != s.Reason {
		c.waited = s
		c.deliver(s)
	}
}

// compare compares our chain with the highest known block that it has passed, since
// an earlier committee may have deceived us before we knew that block.
func (c *Chain) compare() {
	if c.cfg.Anchors == nil || c.broken {
		return
	}
	below, _ := c.cfg.Anchors.Around(c.cfg.Shard, c.m.height)
	switch {
	case below.Height == 0 || below == c.compared:
	case below.Height == c.m.height:
		c.headerRead(&HeaderRead{c.m.height, c.m.hash})
	default:
		c.out = append(c.out, ReadHeader{below.Height})
	}
}

func (c *Chain) headerRead(r *HeaderRead) {
	if c.cfg.Anchors == nil {
		return
	}
	below, _ := c.cfg.Anchors.Around(c.cfg.Shard, r.Height)
	switch {
	case below.Height == 0 || below.Height != r.Height:
	case below.Hash == r.Hash:
		c.compared = below
	default:
		c.breakDown("our block %d is %s, and the records of epochs name %s there", r.Height, r.Hash.Short(), below.Hash.Short())
	}
}

// breakDown ends everything: our final blocks are not those of the chain.
func (c *Chain) breakDown(format string, args ...any) {
	why := fmt.Sprintf(format, args...) + "; an old committee's keys were used to deceive this validator, or its data are another network's. Stop it, delete the data of this chain, and start it again: it will fetch the chain anew"
	c.broken = true
	c.m.halt(why)
	c.deliver(Status{Phase: Halted, Reason: why, Term: c.term, Height: c.m.height, View: c.m.View(), Leader: c.m.Leader()})
}

// refuse consumes an event of a chain that is broken: who wants to author hears of it.
func (c *Chain) refuse(ev sm.Event) {
	switch e := ev.(type) {
	case Author:
		c.deliver(Authored{Tag: e.Tag, Err: chain.Rule(chain.ErrNotReady, "%s", c.m.status.why)})
	case Events:
		for _, ev := range e {
			c.refuse(ev)
		}
	}
}
