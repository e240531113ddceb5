package identity

import (
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
)

// signedHead begins what is signed for a chain.
func signedHead(tag string, chainID chain.Hash) []byte {
	b := append([]byte{byte(len(tag))}, tag...)
	return append(b, chainID[:]...)
}

// SignedBytes is what the keys in Proofs and the payer sign.
func (j *Join) SignedBytes(chainID chain.Hash) []byte {
	return append(j.Validator.AppendTo(signedHead(tagRegister, chainID)), j.Payer[:]...)
}

// SignedBytes is what the old signing key and the new keys in Proofs sign.
func (o *Rotate) SignedBytes(chainID chain.Hash) []byte {
	return o.Validator.AppendTo(o.head(signedHead(tagRotate, chainID)))
}

// SignedBytes is what the signing key signs.
func (o *Leave) SignedBytes(chainID chain.Hash) []byte { return o.To.appendTo(o.signed(chainID, o)) }

// SignedBytes is what the signing key signs.
func (o *Resume) SignedBytes(chainID chain.Hash) []byte { return o.signed(chainID, o) }

// SignedBytes is what the signing key signs.
func (o *Unbond) SignedBytes(chainID chain.Hash) []byte {
	return o.To.appendTo(be.AppendUint64(o.signed(chainID, o), o.Amount))
}

func (o *Order) signed(chainID chain.Hash, op Op) []byte {
	return o.head(append(signedHead(tagOrder, chainID), byte(op.Kind())))
}

// signedOrder is an op that a registered validator signs.
type signedOrder interface {
	Op
	SignedBytes(chainID chain.Hash) []byte
	order() *Order
}

func (o *Order) order() *Order { return o }

// SignOrder sets key and signature of a Rotate, Leave, Resume or Unbond. It must
// come last, after the other fields are set.
func SignOrder(op interface {
	SignedBytes(chainID chain.Hash) []byte
	order() *Order
}, chainID chain.Hash, key *sig.Key) {
	o := op.order()
	o.Key = key.Public()
	o.Signature = key.Sign(op.SignedBytes(chainID))
}

func checkOrder(op signedOrder, chainID chain.Hash) error {
	o := op.order()
	if !sig.Verify(&o.Key, op.SignedBytes(chainID), &o.Signature) {
		return chain.Rule(chain.ErrSignature, "%v of validator %d", op.Kind(), o.ID)
	}
	return nil
}

// checkRegistration checks everything about a validator that registers: its
// fields, all proofs of possession, and the signatures of its keys on msg.
func checkRegistration(v *chain.Validator, p *KeyProofs, msg []byte, scheme cosi.Scheme) error {
	fail := func(err error) error { return chain.Rule(ErrOp, "registration of %.80q: %v", v.Name, err) }
	if err := v.Check(scheme); err != nil {
		return fail(err)
	}
	if err := checkPVSS(v); err != nil {
		return fail(err)
	}
	identity := sig.PublicKey(v.Identity)
	if !sig.Verify(&v.Signing, msg, &p.Signing) || !sig.Verify(&identity, msg, &p.Identity) {
		return chain.Rule(chain.ErrSignature, "registration of %q by its signing or identity key", v.Name)
	}
	alone, err := scheme.NewCommittee([]cosi.PublicKey{v.Cosi})
	if err == nil {
		err = alone.VerifyShare(0, msg, p.Cosi)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

func (j *Join) check(chainID chain.Hash, scheme cosi.Scheme) error {
	msg := j.SignedBytes(chainID)
	if j.Validator.Stake == 0 {
		if j.Payer != (sig.PublicKey{}) || j.Payment != [64]byte{} {
			return chain.Rule(ErrOp, "join of %.80q: a payer, but no stake", j.Validator.Name)
		}
	} else if err := j.Payer.Check(); err != nil {
		return chain.Rule(ErrOp, "join of %.80q: the payer's key: %v", j.Validator.Name, err)
	} else if !sig.Verify(&j.Payer, msg, &j.Payment) {
		return chain.Rule(chain.ErrSignature, "join of %.80q by the payer of its stake", j.Validator.Name)
	}
	return checkRegistration(&j.Validator, &j.Proofs, msg, scheme)
}

func (o *Rotate) check(chainID chain.Hash, scheme cosi.Scheme) error {
	if o.Validator.Stake != 0 {
		return chain.Rule(ErrOp, "rotation of validator %d names a stake; it does not change, 0 is wanted", o.ID)
	}
	if err := checkOrder(o, chainID); err != nil {
		return err
	}
	return checkRegistration(&o.Validator, &o.Proofs, o.SignedBytes(chainID), scheme)
}
