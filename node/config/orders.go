package config

import (
	"encoding/hex"
	"fmt"
	"strings"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/node/onetnet"
	"ios/transepoch/identity"
)

// Owns checks that the keys are those of a registration.
func (k *Keys) Owns(v *chain.Validator) error {
	own, err := k.public()
	if err != nil {
		return err
	}
	return owns(own, v)
}

func owns(own, v *chain.Validator) error {
	for _, c := range []struct {
		name string
		same bool
	}{
		{"identity", own.Identity == v.Identity}, {"signing", own.Signing == v.Signing}, {"cosi", own.Cosi == v.Cosi},
		{"vrf", own.VRF == v.VRF}, {"pvss", own.PVSS == v.PVSS},
	} {
		if !c.same {
			return fmt.Errorf("the %s key is not that of validator %q; put its own keys.toml in place", c.name, v.Name)
		}
	}
	return nil
}

// Join is the op by which a validator with these keys registers on a chain. What
// it has at stake is paid from the payer's credit; without stake there is no
// payer.
func (k *Keys) Join(chainID chain.Hash, v *chain.Validator, payer *sig.Key) (*identity.Join, error) {
	if err := k.Owns(v); err != nil {
		return nil, err
	}
	op := &identity.Join{Validator: *v}
	switch {
	case v.Stake > 0 && payer == nil:
		return nil, fmt.Errorf("a stake of %d has to be paid by somebody with that much credit in the registry; name the payer's key", v.Stake)
	case v.Stake == 0 && payer != nil:
		return nil, fmt.Errorf("a payer is named, and no stake to pay")
	case payer != nil:
		op.Payer = payer.Public()
	}
	msg := op.SignedBytes(chainID)
	if payer != nil {
		op.Payment = payer.Sign(msg)
	}
	var err error
	op.Proofs, err = k.prove(msg)
	return op, err
}

// prove signs a registration with those of its keys that sign.
func (k *Keys) prove(msg []byte) (p identity.KeyProofs, err error) {
	p.Signing = k.Signing.Sign(msg)
	if p.Identity, err = onetnet.SignIdentity(k.Identity, msg); err != nil {
		return p, err
	}
	p.Cosi, err = cosi.BLS{}.Sign(k.Cosi, msg)
	return p, err
}

// Rotate is the op by which a registered validator replaces its keys with others, and
// says where it is reached. Given is how many orders it has given before.
func (k *Keys) Rotate(chainID chain.Hash, id chain.ValidatorID, given uint64, next *Keys, v *chain.Validator) (*identity.Rotate, error) {
	if err := next.Owns(v); err != nil {
		return nil, err
	}
	op := &identity.Rotate{Order: identity.Order{ID: id, Key: k.Signing.Public(), Seq: given + 1}, Validator: *v}
	op.Validator.Stake = 0
	var err error
	if op.Proofs, err = next.prove(op.SignedBytes(chainID)); err != nil {
		return nil, err
	}
	identity.SignOrder(op, chainID, k.Signing)
	return op, nil
}

// Leave is the op by which a registered validator leaves. Given is how many orders
// it has given before.
func (k *Keys) Leave(chainID chain.Hash, id chain.ValidatorID, given uint64, to identity.Payee) *identity.Leave {
	op := &identity.Leave{Order: identity.Order{ID: id, Seq: given + 1}, To: to}
	identity.SignOrder(op, chainID, k.Signing)
	return op
}

// LoadSeed reads an Ed25519 key from a file with its seed as 64 hexadecimal
// digits. Errors never repeat what it holds.
func LoadSeed(path string) (*sig.Key, error) {
	text, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	defer clear(text)
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != 32 {
		return nil, fmt.Errorf("%s: 64 hexadecimal digits are wanted", path)
	}
	return sig.FromSeed(seed)
}

// Resume is the op by which a validator comes back that was left out for its
// absence.
func (k *Keys) Resume(chainID chain.Hash, id chain.ValidatorID, given uint64) *identity.Resume {
	op := &identity.Resume{Order: identity.Order{ID: id, Seq: given + 1}}
	identity.SignOrder(op, chainID, k.Signing)
	return op
}
