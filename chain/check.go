package chain

import "math/bits"

// ExpiryAhead is how many epochs ahead of the current one an expiry may be.
const ExpiryAhead = 2

// CheckTx checks all that a transaction alone shows, except the signatures:
// counts, amounts, sums, the fee, the expiry at the epoch, and one witness of
// the right key for each owner. Its faults are static: they hold on every shard
// and for ever, or until the epoch changes.
func (p *Params) CheckTx(t *Tx, epoch uint64) error {
	if len(t.Inputs) == 0 || len(t.Outputs) == 0 {
		return Rule(ErrNoInput, "%d inputs and %d outputs, at least one of each is wanted", len(t.Inputs), len(t.Outputs))
	}
	if t.payout() {
		return t.checkPayout()
	}
	if t.Expiry < epoch {
		return Rule(ErrExpired, "it expired with epoch %d, this is epoch %d; make and sign it anew", t.Expiry, epoch)
	}
	if t.Expiry-epoch > ExpiryAhead {
		return Rule(ErrExpiry, "it expires with epoch %d, at most %d is allowed now", t.Expiry, epoch+ExpiryAhead)
	}
	fee, err := t.fee()
	if err != nil {
		return err
	}
	if fee < p.MinFee {
		return Rule(ErrFee, "the fee is %d, at least %d is wanted", fee, p.MinFee)
	}
	if err := t.checkDistinct(); err != nil {
		return err
	}
	if err := p.checkStake(t); err != nil {
		return err
	}
	return t.checkWitnesses()
}

// Fee is inputs less outputs of a transaction that CheckTx has passed.
func (t *Tx) Fee() uint64 {
	fee, _ := t.fee()
	return fee
}

func (t *Tx) fee() (uint64, error) {
	var in, out, carry uint64
	for i := range t.Inputs {
		if t.Inputs[i].Amount == 0 {
			return 0, Rule(ErrAmount, "input %d claims nothing", i)
		}
		if in, carry = bits.Add64(in, t.Inputs[i].Amount, 0); carry != 0 {
			return 0, Rule(ErrAmount, "the inputs add up to more than 64 bits hold")
		}
	}
	for i := range t.Outputs {
		if t.Outputs[i].Amount == 0 {
			return 0, Rule(ErrAmount, "output %d gives nothing", i)
		}
		if len(t.Outputs[i].Data) > MaxOutputData {
			return 0, Rule(ErrTooLarge, "output %d has %d bytes of data, at most %d are allowed", i, len(t.Outputs[i].Data), MaxOutputData)
		}
		if out, carry = bits.Add64(out, t.Outputs[i].Amount, 0); carry != 0 {
			return 0, Rule(ErrAmount, "the outputs add up to more than 64 bits hold")
		}
	}
	if out > in {
		return 0, Rule(ErrAmount, "the outputs give %d, the inputs hold %d", out, in)
	}
	return in - out, nil
}

// few is the list length up to which comparing all pairs beats a map.
const few = 8

// checkDistinct refuses an input that is spent twice.
func (t *Tx) checkDistinct() error {
	if i, ok := repeated(t.Inputs, func(in *Input) OutPoint { return in.OutPoint }); ok {
		return Rule(ErrDuplicate, "input %d is there twice", i)
	}
	return nil
}

// repeated finds an element whose key an earlier one has.
func repeated[T any, K comparable](list []T, key func(*T) K) (int, bool) {
	if len(list) <= few {
		for i := 1; i < len(list); i++ {
			for j := 0; j < i; j++ {
				if key(&list[i]) == key(&list[j]) {
					return i, true
				}
			}
		}
		return 0, false
	}
	seen := make(map[K]struct{}, len(list))
	for i := range list {
		k := key(&list[i])
		if _, ok := seen[k]; ok {
			return i, true
		}
		seen[k] = struct{}{}
	}
	return 0, false
}

// Owners are the distinct owners of the inputs in order of first appearance.
func (t *Tx) Owners() []Address { return t.appendOwners(make([]Address, 0, min(len(t.Inputs), few))) }

// appendOwners appends the owners to an empty list.
func (t *Tx) appendOwners(owners []Address) []Address {
	if len(t.Inputs) <= few {
	next:
		for i := range t.Inputs {
			for _, o := range owners {
				if o == t.Inputs[i].Owner {
					continue next
				}
			}
			owners = append(owners, t.Inputs[i].Owner)
		}
		return owners
	}
	seen := make(map[Address]struct{}, len(t.Inputs))
	for i := range t.Inputs {
		if o := t.Inputs[i].Owner; len(seen) == 0 || !has(seen, o) {
			seen[o] = struct{}{}
			owners = append(owners, o)
		}
	}
	return owners
}

func has[K comparable](set map[K]struct{}, k K) bool {
	_, ok := set[k]
	return ok
}

// checkWitnesses wants the key of every owner, in order.
func (t *Tx) checkWitnesses() error {
	var room [few]Address // nearly always enough
	owners := t.appendOwners(room[:0])
	if len(owners) != len(t.Witnesses) {
		return Rule(ErrWitness, "%d witnesses for %d owners", len(t.Witnesses), len(owners))
	}
	for i := range t.Witnesses {
		if AddressOf(&t.Witnesses[i].PublicKey) != owners[i] {
			return Rule(ErrWitness, "witness %d is not the key of owner %s", i, owners[i].Hex())
		}
	}
	return nil
}
