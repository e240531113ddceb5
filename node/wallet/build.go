package wallet

import (
	"math/bits"

	"ios/chain"
)

// Payment is what a transfer is to do.
type Payment struct {
	To     chain.Address
	Amount uint64
	Fee    uint64
	Data   []byte // at most chain.MaxOutputData bytes
	Stake  bool   // it becomes credit in the registry
}

// total is amount and fee.
func (p *Payment) total(params *chain.Params) (uint64, error) {
	switch {
	case p.Amount == 0:
		return 0, chain.Rule(chain.ErrAmount, "a transfer of nothing; name an amount of at least 1")
	case p.Fee < params.MinFee:
		return 0, chain.Rule(chain.ErrFee, "the fee is %d, at least %d is wanted", p.Fee, params.MinFee)
	case len(p.Data) > chain.MaxOutputData:
		return 0, chain.Rule(chain.ErrTooLarge, "%d bytes of data, at most %d are allowed", len(p.Data), chain.MaxOutputData)
	}
	total, carry := bits.Add64(p.Amount, p.Fee, 0)
	if carry != 0 {
		return 0, chain.Rule(chain.ErrAmount, "amount and fee add up to more than 64 bits hold")
	}
	return total, nil
}

// build makes and signs the transaction of a payment from a selection. Change
// goes back to the owner of the first coin, and so stays in a shard that the
// transaction involves anyway.
func build(params *chain.Params, p *Payment, sel *Selection, expiry uint64, key func(chain.Address) *Key) (*chain.Tx, error) {
	t := &chain.Tx{Expiry: expiry}
	for i := range sel.Coins {
		c := &sel.Coins[i]
		t.Inputs = append(t.Inputs, chain.Input{OutPoint: c.OutPoint, Owner: c.Owner, Amount: c.Amount})
	}
	t.Outputs = append(t.Outputs, chain.Output{Owner: p.To, Amount: p.Amount, Data: p.Data, Stake: p.Stake})
	if sel.Change > 0 {
		t.Outputs = append(t.Outputs, chain.Output{Owner: sel.Coins[0].Owner, Amount: sel.Change})
	}
	params.Seal(t) // the id leaves the witnesses out
	message := chain.SignedBytes(t.ID)
	for _, owner := range t.Owners() {
		k := key(owner)
		if k == nil {
			return nil, chain.Rule(chain.ErrWitness, "the wallet has no key for %s", owner.Text(params.Prefix))
		}
		t.Witnesses = append(t.Witnesses, chain.Witness{PublicKey: k.signer.Public(), Signature: k.signer.Sign(message)})
	}
	params.Seal(t)
	if len(t.Raw) > chain.MaxTxBytes {
		return nil, chain.Rule(chain.ErrTooLarge, "the transaction has %d bytes, at most %d are allowed; send less at a time", len(t.Raw), chain.MaxTxBytes)
	}
	return t, nil
}
