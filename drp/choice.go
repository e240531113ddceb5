package drp

import (
	"fmt"

	"ios/chain"
	"ios/drp/pvss"
)

// Choice is what a leader proposes: the dealings whose secrets add up to the
// output, as many of each group as its threshold, by ascending group and dealer.
type Choice struct {
	View     uint64
	Dealings []*Dealing

	Raw []byte // the canonical encoding

	judged *judged // what a check came to; nil before one
}

// Ref names a chosen dealing.
type Ref struct {
	Group  uint16
	Dealer chain.ValidatorID
	Hash   chain.Hash // of the dealing
}

func newChoice(view uint64, dealings []*Dealing) *Choice {
	raw := be.AppendUint64(nil, view)
	raw = be.AppendUint32(raw, uint32(len(dealings)))
	for _, d := range dealings {
		raw = append(raw, d.Raw...)
	}
	return &Choice{View: view, Dealings: dealings, Raw: raw}
}

// DecodeChoice reads a choice, which aliases raw. Nothing is known to be right
// about it.
func DecodeChoice(raw []byte) (*Choice, error) {
	r := chain.NewReader(raw)
	if len(raw) > MaxChoice {
		r.Fail("a choice of %d bytes, at most %d are possible", len(raw), MaxChoice)
	}
	c := &Choice{View: r.U64(), Raw: raw}
	n := r.Count(MaxServers, dealingSize(1))
	c.Dealings = make([]*Dealing, 0, n)
	for range n {
		d := readDealing(r, raw)
		if r.Err() != nil {
			break
		}
		c.Dealings = append(c.Dealings, d)
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("drp: reading a choice: %w", err)
	}
	return c, nil
}

// Refs are the names of the chosen dealings, in order.
func (c *Choice) Refs() []Ref {
	refs := make([]Ref, len(c.Dealings))
	for i, d := range c.Dealings {
		refs[i] = Ref{d.Group, d.Dealer, d.hash}
	}
	return refs
}

// Hash is what is signed off: it covers the view and the ordered references.
func (c *Choice) Hash() chain.Hash { return HashRefs(c.View, c.Refs()) }

// HashRefs is the hash of a choice of which only the references are known.
func HashRefs(view uint64, refs []Ref) chain.Hash {
	w := newWriter(tagChoice)
	w.u64(view)
	w.u64(uint64(len(refs)))
	for i := range refs {
		w.u16(refs[i].Group)
		w.u16(uint16(refs[i].Dealer))
		w.Write(refs[i].Hash[:])
	}
	return w.sum()
}

// check checks structure, grouping and order: as many dealers of each group as its
// threshold, each of them to its own group, none twice.
func (l *layout) check(c *Choice) error {
	if len(c.Dealings) != l.dealers() {
		return chain.Rule(chain.ErrProof, "a choice of %d dealings, %d are wanted", len(c.Dealings), l.dealers())
	}
	i := 0
	for g := range l.groups {
		for k := range l.threshold(g) {
			d := c.Dealings[i]
			if int(d.Group) != g {
				return chain.Rule(chain.ErrProof, "dealing %d of a choice is of group %d, %d dealings of group %d are wanted first", i, d.Group, l.threshold(g), g)
			}
			if err := l.fits(d); err != nil {
				return err
			}
			if k > 0 && d.Dealer <= c.Dealings[i-1].Dealer {
				return chain.Rule(chain.ErrProof, "server %d comes after server %d in a choice; each dealer once and ascending ids are wanted", d.Dealer, c.Dealings[i-1].Dealer)
			}
			i++
		}
	}
	return nil
}

// checkSigned checks structure and signatures of a choice.
func (l *layout) checkSigned(c *Choice) error {
	if err := l.check(c); err != nil {
		return err
	}
	for i, good := range l.run.checkSignatures(c.Dealings) {
		if !good {
			return chain.Rule(chain.ErrSignature, "the dealing of server %d is not signed by it", c.Dealings[i].Dealer)
		}
	}
	return nil
}

// group is the part of a choice that is of one group.
func (l *layout) group(c *Choice, group int) []*Dealing {
	from := 0
	for g := range group {
		from += l.threshold(g)
	}
	return c.Dealings[from : from+l.threshold(group)]
}

// CheckChoice is what a validator checks before it signs a choice off: structure,
// grouping, each dealer's signature, and the proofs of the dealings to its own
// group if it is in one. The error names who or what is wrong. Dealings to other
// groups are for these to check; a wrong one that is chosen all the same counts as
// zero.
func CheckChoice(cfg *Config, raw []byte, self chain.ValidatorID) (*Choice, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	c, err := r.examine(raw, self)
	if err != nil {
		return nil, err
	}
	return c, c.judged.refusal()
}

// CheckWhole is CheckChoice with the proofs of the dealings to all groups: for
// validators that refuse a choice in which any dealing is wrong, and all alike.
func CheckWhole(cfg *Config, raw []byte) (*Choice, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	c, err := DecodeChoice(raw)
	if err != nil {
		return nil, err
	}
	l := r.layout(c.View)
	if err := l.checkSigned(c); err != nil {
		return nil, err
	}
	if c.judged, err = l.judge(c.Dealings); err != nil {
		return nil, err
	}
	return c, c.judged.refusal()
}

// judged is what a server knows of chosen dealings: those to its group, or all.
type judged struct {
	layout   *layout // whose receivers the parsed dealings are to
	dealings []*Dealing
	parsed   []*pvss.Parsed // nil for those that count as zero
	faults   []error
}

// refusal is why a choice is not to be signed off.
func (o *judged) refusal() error {
	if o == nil {
		return nil
	}
	for i, err := range o.faults {
		if err != nil {
			return chain.Rule(chain.ErrProof, "the dealing of server %d: %v", o.dealings[i].Dealer, err)
		}
	}
	return nil
}

// valid are the parsed dealings to a group that count. It is false if they were not
// judged, or with another configuration.
func (o *judged) valid(r *run, group int) (list []*pvss.Parsed, ok bool) {
	if o == nil || o.layout.run.setup != r.setup {
		return nil, false
	}
	for i, d := range o.dealings {
		if int(d.Group) != group {
			continue
		}
		ok = true
		if o.parsed[i] != nil {
			list = append(list, o.parsed[i])
		}
	}
	return list, ok
}

// examine checks all of a choice but leaves it to the caller what wrong dealings
// to the own group mean: refusal before the sign-off, zeroes after.
func (r *run) examine(raw []byte, self chain.ValidatorID) (*Choice, error) {
	c, err := DecodeChoice(raw)
	if err != nil {
		return nil, err
	}
	l := r.layout(c.View)
	if err := l.checkSigned(c); err != nil {
		return nil, err
	}
	if i := r.cfg.find(self); i >= 0 {
		c.judged, err = l.judge(l.group(c, l.seats[i].group))
	}
	return c, err
}

// judge decides which of a list of dealings count. An error is about the
// configuration, not about them.
func (l *layout) judge(list []*Dealing) (*judged, error) {
	o := &judged{layout: l, dealings: list, parsed: make([]*pvss.Parsed, len(list)), faults: make([]error, len(list))}
	var batch pvss.Batch
	var at []int
	for i, d := range list {
		if _, err := l.of(int(d.Group)); err != nil {
			return nil, err
		}
		p, err := l.parse(d)
		if err != nil {
			o.faults[i] = err
			continue
		}
		o.parsed[i] = p
		batch.Add(p)
		at = append(at, i)
	}
	for _, n := range batch.Check() {
		o.parsed[at[n]], o.faults[at[n]] = nil, errProof
	}
	return o, nil
}
