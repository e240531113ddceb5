package load

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"

	"ios/chain"
	"ios/node/load/bitcoin"
)

// mapping is a Bitcoin block as transactions of this network, before anything
// is funded or signed.
//
// The owner of an output is the key whose seed is the SHA-256 of its script. An
// input from outside the block shows, in the standard forms, the script that it
// spends; else its owner is derived from the outpoint. Its amount is not in the
// block: the inputs from outside share what the transaction's outputs need
// beyond its inputs from inside, at least 1 each. Amounts within the block are
// kept, and so is the fee where all inputs are from inside. Left out are the
// coinbase, which makes coins, outputs of zero, which nobody could own, and
// transactions above this network's size. A transaction whose outputs are all
// zero gets one of 1. One whose inputs from inside are then too little gets an
// input more.
type mapping struct {
	txs     []mappedTx
	owners  map[[32]byte]owner // by seed
	outside []chain.Output     // to be funded, by place

	coinbases, zeros, tooLarge, inside, toppedUp int
}

// mappedTx is one transaction.
type mappedTx struct {
	id      bitcoin.Hash
	inputs  []mappedInput
	outputs []chain.Output
	fee     uint64
}

// mappedInput is an output of an earlier transaction of the mapping, or one from
// outside.
type mappedInput struct {
	parent int // place in txs, or -1
	index  int // of the parent's output, or place in outside
	owner  owner
	amount uint64
}

// source is where an output of the block is in the mapping.
type source struct {
	tx, index int
	owner     owner
	amount    uint64
}

// mapBlock maps a block.
func mapBlock(b *bitcoin.Block, params *chain.Params) (*mapping, error) {
	m := &mapping{owners: make(map[[32]byte]owner)}
	unspent := make(map[bitcoin.OutPoint]source)
	for i := range b.Txs {
		t := &b.Txs[i]
		if t.Coinbase() {
			m.coinbases++
			continue
		}
		if err := m.add(t, params, unspent); err != nil {
			return nil, fmt.Errorf("transaction %v of the block: %w", t.ID, err)
		}
	}
	if len(m.txs) == 0 {
		return nil, errors.New("the block has no transaction that can be replayed")
	}
	return m, nil
}

func (m *mapping) owner(seed [32]byte) (owner, error) {
	if o, ok := m.owners[seed]; ok {
		return o, nil
	}
	o, err := newOwner(seed[:])
	if err == nil {
		m.owners[seed] = o
	}
	return o, err
}

func (m *mapping) scriptOwner(script []byte) (owner, error) { return m.owner(sha256.Sum256(script)) }

// add maps one transaction.
func (m *mapping) add(t *bitcoin.Tx, params *chain.Params, unspent map[bitcoin.OutPoint]source) error {
	out := mappedTx{id: t.ID}
	made, sum, err := m.mapOutputs(&out, t)
	if err != nil {
		return err
	}
	if mappedSize(t, len(out.outputs)) > chain.MaxTxBytes {
		m.tooLarge++
		return nil
	}
	var have uint64
	var fromOutside []int // places in out.inputs
	for i := range t.Inputs {
		in := &t.Inputs[i]
		src, ok := unspent[in.Previous]
		if ok {
			delete(unspent, in.Previous)
			m.inside++
			out.inputs = append(out.inputs, mappedInput{src.tx, src.index, src.owner, src.amount})
			if have, err = plus(have, src.amount); err != nil {
				return err
			}
			continue
		}
		o, err := m.outsideOwner(in)
		if err != nil {
			return err
		}
		fromOutside = append(fromOutside, len(out.inputs))
		out.inputs = append(out.inputs, mappedInput{parent: -1, owner: o})
	}
	need, err := plus(sum, params.MinFee)
	if err != nil {
		return err
	}
	if have < need && len(fromOutside) == 0 {
		m.toppedUp++
		fromOutside = append(fromOutside, len(out.inputs))
		out.inputs = append(out.inputs, mappedInput{parent: -1, owner: out.inputs[0].owner})
	}
	if have, err = m.share(&out, fromOutside, have, need); err != nil {
		return err
	}
	out.fee = have - sum
	for _, s := range made {
		s.source.tx = len(m.txs)
		unspent[s.at] = s.source
	}
	m.txs = append(m.txs, out)
	return nil
}

type madeOutput struct {
	at bitcoin.OutPoint
	source
}

// mapOutputs maps the outputs that are not zero and adds them up.
func (m *mapping) mapOutputs(out *mappedTx, t *bitcoin.Tx) (made []madeOutput, sum uint64, err error) {
	for i := range t.Outputs {
		o := &t.Outputs[i]
		if o.Amount == 0 {
			m.zeros++
			continue
		}
		who, err := m.scriptOwner(o.Script)
		if err != nil {
			return nil, 0, err
		}
		made = append(made, madeOutput{bitcoin.OutPoint{Tx: t.ID, Index: uint32(i)}, source{index: len(out.outputs), owner: who, amount: o.Amount}})
		out.outputs = append(out.outputs, chain.Output{Owner: who.address, Amount: o.Amount})
		if sum, err = plus(sum, o.Amount); err != nil {
			return nil, 0, err
		}
	}
	if len(out.outputs) == 0 {
		who, err := m.scriptOwner(t.Outputs[0].Script)
		if err != nil {
			return nil, 0, err
		}
		out.outputs, sum = []chain.Output{{Owner: who.address, Amount: 1}}, 1
	}
	return made, sum, nil
}

// mappedSize bounds the encoded size, with an owner for each input.
func mappedSize(t *bitcoin.Tx, outputs int) int {
	return 20 + (76+96)*(len(t.Inputs)+1) + 41*outputs
}

func (m *mapping) outsideOwner(in *bitcoin.Input) (owner, error) {
	if script := bitcoin.SpentScript(in); script != nil {
		return m.scriptOwner(script)
	}
	seed := append([]byte("ios/bitcoin/outpoint"), in.Previous.Tx[:]...)
	return m.scriptOwner(append(seed, byte(in.Previous.Index>>24), byte(in.Previous.Index>>16), byte(in.Previous.Index>>8), byte(in.Previous.Index)))
}

// share gives the inputs from outside what is needed beyond what there is, at
// least 1 each, and returns what all inputs hold then.
func (m *mapping) share(t *mappedTx, places []int, have, need uint64) (uint64, error) {
	n := uint64(len(places))
	if n == 0 {
		return have, nil
	}
	missing := n
	if need > have {
		missing = max(n, need-have)
	}
	have, err := plus(have, missing)
	if err != nil {
		return 0, err
	}
	for i, at := range places {
		part := missing / n
		if i == 0 {
			part += missing % n
		}
		in := &t.inputs[at]
		in.index, in.amount = len(m.outside), part
		m.outside = append(m.outside, chain.Output{Owner: in.owner.address, Amount: part})
	}
	return have, nil
}

func plus(a, b uint64) (uint64, error) {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return 0, errors.New("amounts add up to more than 64 bits hold")
	}
	return sum, nil
}

// build makes and signs the transactions, given the coins that the outputs from
// outside became.
func (m *mapping) build(params *chain.Params, epoch uint64, coins []chain.Input) []*chain.Tx {
	txs := make([]*chain.Tx, len(m.txs))
	for i := range m.txs {
		t := &chain.Tx{Expiry: epoch + chain.ExpiryAhead, Outputs: m.txs[i].outputs}
		keys := make(map[chain.Address]owner)
		for _, in := range m.txs[i].inputs {
			keys[in.owner.address] = in.owner
			if in.parent < 0 {
				t.Inputs = append(t.Inputs, coins[in.index])
				continue
			}
			t.Inputs = append(t.Inputs, chain.Input{
				OutPoint: chain.OutPoint{Tx: txs[in.parent].ID, Index: uint32(in.index)},
				Owner:    in.owner.address, Amount: in.amount,
			})
		}
		params.Seal(t)
		for _, address := range t.Owners() {
			k := keys[address].key
			t.Witnesses = append(t.Witnesses, chain.Witness{PublicKey: k.Public(), Signature: k.Sign(chain.SignedBytes(t.ID))})
		}
		params.Seal(t)
		txs[i] = t
	}
	return txs
}
