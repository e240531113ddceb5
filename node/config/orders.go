package config

import (
	"bytes"
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
	transport, err := onetnet.PublicIdentity(k.Identity)
	if err != nil {
		return err
	}
	votes, err := cosi.BLS{}.Public(k.Cosi)
	if err != nil {
		return err
	}
	shares, err := k.PVSS.Public()
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		same bool
	}{
		{"identity", bytes.Equal(transport, v.Identity[:])}, {"signing", k.Signing.Public() == v.Signing}, {"cosi", votes == v.Cosi},
		{"vrf", k.VRF.Public() == v.VRF}, {"pvss", shares == v.PVSS},
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
	var err error
	if op.Proofs.Signing = k.Signing.Sign(msg); payer != nil {
		op.Payment = payer.Sign(msg)
	}
	if op.Proofs.Identity, err = onetnet.SignIdentity(k.Identity, msg); err != nil {
		return nil, err
	}
	op.Proofs.Cosi, err = cosi.BLS{}.Sign(k.Cosi, msg)
	return op, err
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
