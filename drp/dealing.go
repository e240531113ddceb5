package drp

import (
	"fmt"
	"io"

	"ios/chain"
	"ios/chain/sig"
	"ios/drp/pvss"
)

// Dealing is one server's contribution to a view: a random value, shared among the
// server's group. It does not change.
type Dealing struct {
	View      uint64
	Group     uint16
	Dealer    chain.ValidatorID
	Shares    pvss.Dealing
	Signature [64]byte

	Raw     []byte     // the canonical encoding
	content chain.Hash // of all but the signature
	hash    chain.Hash
}

const dealingHead = 8 + 2 + 2 + 2

// dealingSize is the length of a dealing to a group of c.
func dealingSize(c int) int { return dealingHead + pvss.DealingSize(c) + 64 }

// choiceSize is the length of a choice among n servers.
func choiceSize(n, least int) int {
	size := 8 + 4
	for _, c := range groupSizes(n, least) {
		size += pvss.Threshold(c) * dealingSize(c)
	}
	return size
}

// newDealing makes and signs the dealing of the server at a place.
func newDealing(l *layout, i int, keys *Keys) (*Dealing, error) {
	st := l.seats[i]
	to, err := l.of(st.group)
	if err != nil {
		return nil, err
	}
	id := l.run.cfg.Servers[i].ID
	shares, err := pvss.Deal(l.context(st.group, id), to, keys.Secret, keys.Random)
	if err != nil {
		return nil, fmt.Errorf("drp: dealing for view %d: %w", l.view, err)
	}
	return signDealing(l.run, l.view, uint16(st.group), id, shares, to.Count(), keys.Signing), nil
}

func signDealing(r *run, view uint64, group uint16, id chain.ValidatorID, shares pvss.Dealing, c int, key *sig.Key) *Dealing {
	d := &Dealing{View: view, Group: group, Dealer: id, Shares: shares}
	raw := make([]byte, 0, dealingSize(c))
	raw = be.AppendUint64(raw, view)
	raw = be.AppendUint16(raw, group)
	raw = be.AppendUint16(raw, uint16(id))
	raw = be.AppendUint16(raw, uint16(c))
	raw = append(raw, shares...)
	d.Raw = raw
	d.digestContent(raw)
	d.Signature = key.Sign(d.signed(r))
	d.Raw = append(raw, d.Signature[:]...)
	d.digestAll()
	return d
}

func (d *Dealing) digestContent(content []byte) {
	w := newWriter(tagContent)
	w.Write(content)
	d.content = w.sum()
}

func (d *Dealing) digestAll() {
	w := newWriter(tagDealing)
	w.Write(d.content[:])
	w.Write(d.Signature[:])
	d.hash = w.sum()
}

// Hash names the dealing with its signature.
func (d *Dealing) Hash() chain.Hash { return d.hash }

// signed is what the signature covers.
func (d *Dealing) signed(r *run) []byte {
	msg := make([]byte, 0, 128)
	msg = append(msg, byte(len(tagSignature)))
	msg = append(msg, tagSignature...)
	msg = append(msg, r.cfg.ChainID[:]...)
	msg = be.AppendUint64(msg, r.cfg.Epoch)
	msg = append(msg, r.setup[:]...)
	return append(msg, d.content[:]...)
}

// readDealing reads a dealing, which aliases the buffer.
func readDealing(r *chain.Reader, whole []byte) *Dealing {
	start := r.Offset()
	d := &Dealing{View: r.U64(), Group: r.U16(), Dealer: chain.ValidatorID(r.U16())}
	c := int(r.U16())
	if c < 1 || c > pvss.MaxReceivers {
		r.Fail("a dealing to %d receivers", c)
		return d
	}
	d.Shares = r.Bytes(pvss.DealingSize(c))
	end := r.Offset()
	copy(d.Signature[:], r.Bytes(64))
	if r.Err() == nil {
		d.Raw = whole[start:r.Offset():r.Offset()]
		d.digestContent(whole[start:end])
		d.digestAll()
	}
	return d
}

// DecodeDealing reads a dealing, which aliases raw. Nothing is known to be right
// about it.
func DecodeDealing(raw []byte) (*Dealing, error) {
	r := chain.NewReader(raw)
	d := readDealing(r, raw)
	return d, r.Close()
}

// fits says whether the dealing is from a server of the view to its own group.
func (l *layout) fits(d *Dealing) error {
	i := l.run.cfg.find(d.Dealer)
	switch {
	case i < 0:
		return chain.Rule(chain.ErrProof, "a dealing by validator %d, which is not a server of epoch %d", d.Dealer, l.run.cfg.Epoch)
	case d.View != l.view:
		return chain.Rule(chain.ErrProof, "a dealing by server %d for view %d, not %d", d.Dealer, d.View, l.view)
	case int(d.Group) != l.seats[i].group:
		return chain.Rule(chain.ErrProof, "a dealing by server %d to group %d, its own is %d", d.Dealer, d.Group, l.seats[i].group)
	case len(d.Shares) != pvss.DealingSize(len(l.groups[d.Group])):
		return chain.Rule(chain.ErrProof, "a dealing by server %d of %d bytes to a group of %d", d.Dealer, len(d.Shares), len(l.groups[d.Group]))
	}
	return nil
}

// parse reads the shares of a dealing that fits. An error means that it counts
// as zero.
func (l *layout) parse(d *Dealing) (*pvss.Parsed, error) {
	to, err := l.of(int(d.Group))
	if err != nil {
		return nil, err
	}
	return to.Parse(l.context(int(d.Group), d.Dealer), d.Shares)
}

// checkSignatures checks the signatures of dealings, all of them by servers: nil
// if all are right, one verdict each if one is not.
func (r *run) checkSignatures(list []*Dealing) (verdicts []bool) {
	w := newWriter(tagSigBatch)
	w.Write(r.setup[:])
	for _, d := range list {
		w.Write(d.hash[:])
	}
	var random io.Reader = &stream{seed: w.sum()}
	checker := sig.NewChecker(0, random)
	for _, d := range list {
		checker.Add(&r.cfg.Servers[r.cfg.find(d.Dealer)].Signing, d.signed(r), &d.Signature)
	}
	return checker.Check()
}
