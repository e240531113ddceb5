package chain

import (
	"bytes"
	"cmp"
	"crypto/sha256"
)

// Limits of one transaction. MaxTxBytes bounds all the others; the counts keep
// a hostile encoding from claiming more than its bytes can hold.
const (
	MaxTxBytes    = 256 << 10 // bytes of a whole encoded transaction
	MaxOutputData = 64        // bytes of an output's data
)

// stakeBit marks an output with Stake, in the byte of its data's length.
const stakeBit = 0x80

// Encoded sizes in bytes.
const (
	inputSize     = 32 + 4 + 32 + 8
	outputMinSize = 32 + 8 + 1
	witnessSize   = 32 + 64
	txMinSize     = 8 + 4 + inputSize + 4 + outputMinSize + 4 // a payout has no witness
)

// OutPoint names an output: the transaction that made it and its place there.
type OutPoint struct {
	Tx    TxID
	Index uint32
}

// Compare orders outpoints by transaction and place.
func (o OutPoint) Compare(b OutPoint) int {
	if c := bytes.Compare(o.Tx[:], b.Tx[:]); c != 0 {
		return c
	}
	return cmp.Compare(o.Index, b.Index)
}

// Input spends an output. Owner and amount repeat what the output holds, so
// that every shard can tell from the transaction alone whom it involves and
// that the sums hold; the shard of the input refuses a claim that differs.
type Input struct {
	OutPoint
	Owner  Address
	Amount uint64 // base units
}

// Output gives an amount to an owner.
type Output struct {
	Owner  Address
	Amount uint64 // base units, at least 1
	Data   []byte // at most MaxOutputData bytes, free use
	Stake  bool   // it becomes credit of the owner in the registry, and no coin
}

// Witness is an owner's consent: a signature over the transaction's id.
type Witness struct {
	PublicKey [32]byte
	Signature [64]byte
}

// Tx is a transaction. Witnesses stand one per distinct owner, in the order in
// which the owners first appear among the inputs.
type Tx struct {
	Expiry    uint64 // the last epoch in which a shard may record an outcome
	Inputs    []Input
	Outputs   []Output
	Witnesses []Witness

	// ID and Raw are set by DecodeTx and [Params.Seal]; Raw is the encoding.
	ID  TxID
	Raw []byte
}

// appendCore appends all but the witnesses, which is what the id covers.
func (t *Tx) appendCore(dst []byte) []byte {
	dst = be.AppendUint64(dst, t.Expiry)
	dst = be.AppendUint32(dst, uint32(len(t.Inputs)))
	for i := range t.Inputs {
		in := &t.Inputs[i]
		dst = append(dst, in.Tx[:]...)
		dst = be.AppendUint32(dst, in.Index)
		dst = append(dst, in.Owner[:]...)
		dst = be.AppendUint64(dst, in.Amount)
	}
	dst = be.AppendUint32(dst, uint32(len(t.Outputs)))
	for i := range t.Outputs {
		out := &t.Outputs[i]
		dst = append(dst, out.Owner[:]...)
		dst = be.AppendUint64(dst, out.Amount)
		length := byte(len(out.Data))
		if out.Stake {
			length |= stakeBit
		}
		dst = append(dst, length)
		dst = append(dst, out.Data...)
	}
	return dst
}

// AppendTo appends the canonical encoding.
func (t *Tx) AppendTo(dst []byte) []byte {
	dst = t.appendCore(dst)
	dst = be.AppendUint32(dst, uint32(len(t.Witnesses)))
	for i := range t.Witnesses {
		dst = append(dst, t.Witnesses[i].PublicKey[:]...)
		dst = append(dst, t.Witnesses[i].Signature[:]...)
	}
	return dst
}

// arena backs the lists of many transactions with a few large allocations. It
// is not shared between goroutines.
type arena struct {
	page      int // elements a slab is made for
	inputs    []Input
	outputs   []Output
	witnesses []Witness
}

// take cuts n elements off the slab, which it renews when it is used up.
func take[T any](slab *[]T, n, page int) []T {
	if n > len(*slab) {
		*slab = make([]T, max(n, page))
	}
	cut := (*slab)[:n:n]
	*slab = (*slab)[n:]
	return cut
}

// readTx decodes one transaction of the chain at r into t, whose Raw aliases
// the reader's buffer.
func (p *Params) readTx(r *Reader, a *arena, t *Tx) {
	start := r.off
	t.Expiry = r.U64()
	t.Inputs = take(&a.inputs, r.Count(MaxTxBytes/inputSize, inputSize), a.page)
	for i := range t.Inputs {
		in := &t.Inputs[i]
		b := r.Bytes(inputSize) // Count saw that they are there
		copy(in.Tx[:], b)
		in.Index = be.Uint32(b[32:])
		copy(in.Owner[:], b[36:])
		in.Amount = be.Uint64(b[68:])
	}
	t.Outputs = take(&a.outputs, r.Count(MaxTxBytes/outputMinSize, outputMinSize), a.page)
	for i := range t.Outputs {
		out := &t.Outputs[i]
		b := r.Bytes(outputMinSize)
		if b == nil {
			return
		}
		copy(out.Owner[:], b)
		out.Amount = be.Uint64(b[32:])
		out.Stake = b[40]&stakeBit != 0
		length := b[40] &^ stakeBit
		if length > MaxOutputData {
			r.Fail("an output with %d bytes of data, at most %d are allowed", length, MaxOutputData)
			return
		}
		out.Data = r.Bytes(int(length))
	}
	core := r.off
	t.Witnesses = take(&a.witnesses, r.Count(MaxTxBytes/witnessSize, witnessSize), a.page)
	for i := range t.Witnesses {
		b := r.Bytes(witnessSize)
		copy(t.Witnesses[i].PublicKey[:], b)
		copy(t.Witnesses[i].Signature[:], b[32:])
	}
	if r.err != nil {
		return
	}
	if r.off-start > MaxTxBytes {
		r.Fail("a transaction of %d bytes, at most %d are allowed", r.off-start, MaxTxBytes)
		return
	}
	t.Raw = r.buf[start:r.off:r.off]
	t.ID = p.txID(r.buf[start:core])
}

func (p *Params) txID(core []byte) TxID {
	d := sha256.New()
	d.Write(p.txPrefix)
	d.Write(core)
	var id TxID
	d.Sum(id[:0])
	return id
}

// DecodeTx decodes one transaction; it aliases raw.
func (p *Params) DecodeTx(raw []byte) (*Tx, error) {
	r, t := NewReader(raw), new(Tx)
	p.readTx(r, new(arena), t)
	if err := r.Close(); err != nil {
		return nil, err
	}
	return t, nil
}

// DecodeTxs decodes a concatenation of at most max transactions; they alias
// raw.
func (p *Params) DecodeTxs(raw []byte, max int) ([]Tx, error) {
	r := NewReader(raw)
	txs := p.readTxs(r, max, func() bool { return r.Left() > 0 })
	if r.err != nil {
		return nil, r.err
	}
	return txs, nil
}

// readTxs reads transactions while more says so, at most max.
func (p *Params) readTxs(r *Reader, max int, more func() bool) []Tx {
	guess := min(max, r.Left()/txMinSize+1)
	txs, a := make([]Tx, 0, guess), &arena{page: min(guess, 1024)}
	for r.err == nil && more() {
		if len(txs) == max {
			r.Fail("more than %d transactions in one batch", max)
			break
		}
		txs = append(txs, Tx{})
		p.readTx(r, a, &txs[len(txs)-1])
	}
	return txs
}

// Seal sets ID and Raw from the fields.
func (p *Params) Seal(t *Tx) {
	core := t.appendCore(nil)
	t.ID = p.txID(core)
	t.Raw = t.AppendTo(nil)
}

// SignedBytes is what a witness of the transaction with the id signs.
func SignedBytes(id TxID) []byte { return AppendSigned(make([]byte, 0, SignedSize), id) }

// SignedSize is the length of SignedBytes.
const SignedSize = len(tagTxSig) + len(TxID{})

// AppendSigned appends SignedBytes.
func AppendSigned(dst []byte, id TxID) []byte {
	return append(append(dst, tagTxSig...), id[:]...)
}
