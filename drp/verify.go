package drp

import (
	"fmt"

	"ios/chain"
	"ios/drp/pvss"
)

// Output is what a run comes to.
type Output struct {
	Random chain.Hash
	View   uint64
	Choice chain.Hash
	// Zero are the chosen dealers whose dealings were wrong and count as zero.
	Zero []chain.ValidatorID
	// SignOff is that of the transcript.
	SignOff []byte
}

// Verify checks a transcript and says what its output is. It needs nothing but the
// configuration, and costs one check of a sign-off, one batch of signatures
// and one multi-scalar multiplication. The error names who or what is wrong.
func Verify(cfg *Config, raw []byte) (*Output, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	t, l, err := r.decodeTranscript(raw)
	if err != nil {
		return nil, err
	}
	hash := t.Choice.Hash()
	if err := cfg.VerifySignOff(t.Choice.View, hash, t.SignOff); err != nil {
		return nil, chain.Rule(chain.ErrProof, "the choice of the transcript is not signed off: %v", err)
	}
	if err := l.checkSigned(t.Choice); err != nil {
		return nil, err
	}
	var v verifier
	if err := v.dealings(l, t); err != nil {
		return nil, err
	}
	if err := v.openings(l, t, hash); err != nil {
		return nil, err
	}
	if wrong := v.batch.Check(); wrong != nil {
		return nil, chain.Rule(chain.ErrProof, "the proof of %s is wrong", v.names[wrong[0]])
	}
	out, err := l.output(t.Choice, hash, t.Counts, v.opened)
	if err != nil {
		return nil, err
	}
	out.SignOff = t.SignOff
	return out, nil
}

// verifier gathers what the one multi-scalar multiplication is over.
type verifier struct {
	batch  pvss.Batch
	names  []string         // of the batch's items
	parsed [][]*pvss.Parsed // of each group, those that count
	opened [][]*pvss.Opened // of each group
}

func (v *verifier) add(it pvss.Item, format string, args ...any) {
	v.batch.Add(it)
	v.names = append(v.names, fmt.Sprintf(format, args...))
}

// dealings adds the dealings that are said to count, and makes sure of the others
// that they are wrong.
func (v *verifier) dealings(l *layout, t *Transcript) error {
	v.parsed = make([][]*pvss.Parsed, len(l.groups))
	for i, d := range t.Choice.Dealings {
		if _, err := l.of(int(d.Group)); err != nil {
			return err
		}
		p, err := l.parse(d)
		if t.Counts[i] {
			if err != nil {
				return chain.Rule(chain.ErrProof, "the dealing of server %d counts but is wrong: %v", d.Dealer, err)
			}
			v.add(p, "the dealing of server %d, which counts,", d.Dealer)
			v.parsed[d.Group] = append(v.parsed[d.Group], p)
			continue
		}
		if err != nil {
			continue
		}
		var alone pvss.Batch
		alone.Add(p)
		if alone.Check() == nil {
			return chain.Rule(chain.ErrProof, "the dealing of server %d is right but does not count", d.Dealer)
		}
	}
	return nil
}

func (v *verifier) openings(l *layout, t *Transcript, hash chain.Hash) error {
	v.opened = make([][]*pvss.Opened, len(l.groups))
	for g, list := range t.Openings {
		if len(list) == 0 {
			continue
		}
		r, err := l.of(g)
		if err != nil {
			return err
		}
		for i := range list {
			id := l.run.cfg.Servers[l.groups[g][list[i].Index]].ID
			o, err := r.Open(pvss.Binding(hash), int(list[i].Index), v.parsed[g], list[i].Shares)
			if err != nil {
				return chain.Rule(chain.ErrProof, "the shares of server %d: %v", id, err)
			}
			v.add(o, "the shares that server %d opened", id)
			v.opened[g] = append(v.opened[g], o)
		}
	}
	return nil
}

// output adds up the secrets, all parts of which were checked.
func (l *layout) output(c *Choice, hash chain.Hash, counts []bool, opened [][]*pvss.Opened) (*Output, error) {
	out := &Output{View: c.View, Choice: hash}
	for i, d := range c.Dealings {
		if !counts[i] {
			out.Zero = append(out.Zero, d.Dealer)
		}
	}
	if len(out.Zero) == len(c.Dealings) {
		// An honest validator signs off only what is right in its own group.
		return nil, chain.Rule(chain.ErrProof, "no dealing of the choice counts; nobody honest can have signed it off")
	}
	var sum pvss.Sum
	for g := range opened {
		if len(opened[g]) == 0 {
			continue
		}
		if err := sum.Add(opened[g]); err != nil {
			return nil, chain.Rule(chain.ErrProof, "group %d: %v", g, err)
		}
	}
	total := sum.Bytes()
	w := newWriter(tagOutput)
	w.Write(l.run.cfg.ChainID[:])
	w.u64(l.run.cfg.Epoch)
	w.Write(hash[:])
	w.Write(total[:])
	out.Random = w.sum()
	return out, nil
}
