package byzcoin

import (
	"errors"
	"fmt"
	"iter"

	"ios/chain"
	"ios/internal/sm"
)

// NewChain makes the chain of a validator that has no records. Its first event
// must be [Start].
func NewChain(cfg ChainConfig) (*Chain, error) { return RestoreChain(cfg, nil, nil) }

// RestoreChain makes a chain from what an earlier one left: state is what
// ExportState gave at the snapshot that the application stands at (nil: at
// cfg.Start), records are all that followed, in order, and nil if there are none.
// There is one log for all terms: a record belongs to the term that the final
// blocks before it lead to. The first event must be [Start].
func RestoreChain(cfg ChainConfig, state []byte, records iter.Seq[sm.Persist]) (*Chain, error) {
	cfg.Policy = cfg.Policy.WithDefaults()
	c := &Chain{cfg: cfg}
	if err := c.load(state); err != nil {
		return nil, fmt.Errorf("byzcoin: %w", err)
	}
	n := 0
	if records != nil {
		for r := range records {
			n++
			if err := c.restore(r); err != nil {
				return nil, fmt.Errorf("byzcoin: reading record %d, kind %d: %w", n, r.Kind, err)
			}
		}
	}
	if err := c.turn(); err != nil && !errors.Is(err, chain.ErrNotReady) {
		return nil, fmt.Errorf("byzcoin: %w", err)
	}
	c.setSources(cfg.Sources)
	return c, nil
}

// load makes the first machine.
func (c *Chain) load(state []byte) error {
	c.term, c.start = c.cfg.App.Next(), c.cfg.Start
	if state != nil {
		if err := c.importState(state); err != nil {
			return fmt.Errorf("reading the state of a snapshot: %w", err)
		}
		return nil
	}
	return c.make(c.term, nil)
}

// make makes the machine of a term that begins at c.start.
func (c *Chain) make(term chain.Term, state []byte) error {
	b, err := c.cfg.committee(term)
	if err != nil {
		return err
	}
	if c.m, err = Restore(c.cfg.machineConfig(b, c.start, c.lead), state, nil); err != nil {
		return err
	}
	c.skipSelf(c.m)
	return nil
}

// turn goes on to the next term, if the last one has ended.
func (c *Chain) turn() error {
	if c.m.ended == nil {
		return nil
	}
	if !c.told {
		c.leave()
	}
	return c.enter()
}

func (c *Chain) restore(r sm.Persist) error {
	if err := c.turn(); err != nil {
		return err
	}
	return c.m.restore(r.Kind, r.Data)
}

// ExportState is [Machine.ExportState] for a chain.
func (c *Chain) ExportState() []byte {
	dst := c.m.term().AppendTo(nil)
	dst = be.AppendUint64(dst, c.start.Height)
	dst = append(dst, c.start.Hash[:]...)
	dst = be.AppendUint32(dst, uint32(c.lead))
	if c.last == nil {
		dst = be.AppendUint32(dst, 0)
	} else {
		dst = be.AppendUint32(dst, 1)
		dst = c.last.cert.appendBody(c.last.term.AppendTo(dst))
	}
	dst = be.AppendUint32(dst, uint32(len(c.pending)))
	for i := range c.pending {
		dst = c.pending[i].appendTo(dst)
	}
	var ended []byte
	if c.m.ended != nil {
		ended = c.m.ended.AppendTo(nil)
	}
	return append(chain.AppendBlob(dst, ended), c.m.ExportState()...)
}

func (s *Succeeded) appendTo(dst []byte) []byte {
	dst = s.To.AppendTo(s.From.AppendTo(dst))
	dst = be.AppendUint64(dst, s.Height)
	dst = be.AppendUint32(dst, uint32(len(s.Unfinished)))
	for _, b := range s.Unfinished {
		dst = chain.AppendBlob(dst, b.Raw)
	}
	return dst
}

func readSucceeded(r *chain.Reader) (s Succeeded) {
	s.From, s.To, s.Height = r.Term(), r.Term(), r.U64()
	for range r.Count(MaxMembers*maxWindow, 4) {
		raw := r.Blob(chain.MaxBodyBytes)
		if r.Err() != nil {
			break
		}
		b, err := chain.DecodeBody(raw)
		if err != nil {
			r.Fail("an unfinished body: %v", err)
			break
		}
		s.Unfinished = append(s.Unfinished, b)
	}
	return s
}

func (c *Chain) importState(state []byte) error {
	r := chain.NewReader(state)
	term := r.Term()
	c.start = Point{r.U64(), r.Hash()}
	c.lead = int(r.U32())
	if r.Count(1, 12) == 1 {
		c.last = &endOfTerm{r.Term(), readCertified(r)}
	}
	for range r.Count(maxPending, 36) {
		c.pending = append(c.pending, readSucceeded(r))
	}
	var ended *chain.Block
	if raw := r.Blob(maxSyncRaw); r.Err() == nil && len(raw) > 0 {
		var err error
		if ended, err = chain.DecodeBlock(raw); err != nil {
			return err
		}
	}
	rest := r.Rest()
	if err := r.Close(); err != nil {
		return err
	}
	if err := c.make(term, rest); err != nil {
		return err
	}
	if c.m.height < c.start.Height {
		return fmt.Errorf("block %d in a term that begins above block %d", c.m.height, c.start.Height)
	}
	if (ended != nil) == (c.term == term) {
		return fmt.Errorf("the ledger is in term %v, the state in term %v", c.term, term)
	}
	if ended == nil {
		return nil
	}
	if c.m.height == 0 || ended.Header.Height != c.m.height || len(c.m.last) == 0 || ended.Header.Hash() != c.m.hash {
		return fmt.Errorf("term %v ends with block %d above block %d", term, ended.Header.Height, c.m.height)
	}
	c.m.end(ended)
	// The bodies that are unfinished are among the pending ones.
	c.told = true
	return nil
}
