package chain

import "math"

// Value moves between a shard and the registry, which the identity chain keeps,
// as it does between two shards: the identity chain takes the place of one of
// them. A shard pays credit in by an output with Stake. The registry pays out by
// a transaction of its own making, see [Params.PayoutTx].

// PayoutIndex is the index of the input of a payout. No output has it.
const PayoutIndex = math.MaxUint32

// Never is the expiry of payouts, which a shard may take in any epoch.
const Never = math.MaxUint64

// Shard is where the input lies: in the shard of its owner, or in the registry.
func (in *Input) Shard(shards int) ShardID {
	if in.Index == PayoutIndex {
		return IdentityShard
	}
	return in.Owner.Shard(shards)
}

// Shard is where the output goes: to the shard of its owner, or into the registry.
func (out *Output) Shard(shards int) ShardID {
	if out.Stake {
		return IdentityShard
	}
	return out.Owner.Shard(shards)
}

// PayoutTx is the transaction by which the registry pays an amount to an address.
// Everybody makes the same of the same payout, which the name tells from others.
// It has no witness and no fee: what justifies it is the identity chain's proof.
func (p *Params) PayoutTx(name Hash, to Address, amount uint64) *Tx {
	t := &Tx{
		Expiry:  Never,
		Inputs:  []Input{{OutPoint: OutPoint{name, PayoutIndex}, Owner: to, Amount: amount}},
		Outputs: []Output{{Owner: to, Amount: amount}},
	}
	p.Seal(t)
	return t
}

// payout reports whether an input of t is in the registry.
func (t *Tx) payout() bool {
	for i := range t.Inputs {
		if t.Inputs[i].Index == PayoutIndex {
			return true
		}
	}
	return false
}

// checkPayout wants t as PayoutTx makes it.
func (t *Tx) checkPayout() error {
	in, out := &t.Inputs[0], &t.Outputs[0]
	if len(t.Inputs) != 1 || len(t.Outputs) != 1 || len(t.Witnesses) != 0 || t.Expiry != Never ||
		out.Owner != in.Owner || out.Amount != in.Amount || in.Amount == 0 || out.Stake || len(out.Data) > 0 {
		return Rule(ErrStake, "a payout that the registry does not make like that")
	}
	return nil
}

// checkStake wants a transaction that pays into the registry to involve one shard
// besides, and to pay one owner: the identity chain then knows all answers when
// it hears that shard's. Less than a stake is not taken, so that nobody fills the
// registry with next to nothing.
func (p *Params) checkStake(t *Tx) error {
	stakes := 0
	for i := range t.Outputs {
		if !t.Outputs[i].Stake {
			continue
		}
		stakes++
		if t.Outputs[i].Amount < p.MinStake {
			return Rule(ErrStake, "%d for the registry, which takes %d or more", t.Outputs[i].Amount, p.MinStake)
		}
	}
	if stakes == 0 {
		return nil
	}
	involved := p.Involved(t)
	if n := len(involved.List()); stakes != 1 || n != 1 {
		return Rule(ErrStake, "%d outputs into the registry and %d shards; one of each is wanted, with the change in the shard of the inputs", stakes, n)
	}
	return nil
}

// Staked is the output of t into the registry; nil if it has none.
func (t *Tx) Staked() *Output {
	for i := range t.Outputs {
		if t.Outputs[i].Stake {
			return &t.Outputs[i]
		}
	}
	return nil
}
