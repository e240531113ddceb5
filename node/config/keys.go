package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/chain/vrf"
	"ios/drp/pvss"
	"ios/node/onetnet"
)

// Keys are a validator's secrets, one for each use.
type Keys struct {
	Identity []byte         // scalar of the transport's identity
	Signing  *sig.Key       // bodies and messages
	Cosi     cosi.Secret    // votes
	VRF      vrf.Secret     // lottery
	PVSS     pvss.SecretKey // shares of the random beacon
}

// keysText is the file: 64 hexadecimal digits each.
type keysText struct {
	Identity string `toml:"identity"`
	Signing  string `toml:"signing"`
	Cosi     string `toml:"cosi"`
	VRF      string `toml:"vrf"`
	PVSS     string `toml:"pvss"`
}

// NewKeys makes keys from the system's randomness.
func NewKeys() (*Keys, error) {
	identity, _, err := onetnet.GenerateIdentity()
	if err != nil {
		return nil, err
	}
	signing, err := sig.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	seed := make([]byte, cosi.MinSeedSize)
	defer clear(seed)
	if _, err := rand.Read(seed); err != nil {
		return nil, fmt.Errorf("reading randomness for a key: %w", err)
	}
	secret, err := cosi.SecretFromSeed(seed)
	if err != nil {
		return nil, err
	}
	lottery, err := vrf.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	shares, err := pvss.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Keys{Identity: identity, Signing: signing, Cosi: secret, VRF: lottery, PVSS: shares}, nil
}

// String hides the keys.
func (k *Keys) String() string { return "validator keys" }

// LoadKeys reads the keys of a home. A file that others may read is refused.
func (h Home) LoadKeys() (*Keys, error) { return h.loadKeys(h.KeysFile()) }

func (h Home) loadKeys(path string) (*Keys, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the validator in %s has no keys: %w; put them back from the backup, or make another validator in a new directory with: ios node init", h, err)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, so that others may read the keys; chmod 600 %s, and make new keys if they may have been seen", path, info.Mode().Perm(), path)
	}
	var doc keysText
	if err := load(path, &doc); err != nil {
		return nil, err
	}
	k, err := doc.keys()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// keys decodes the file. Errors never repeat what it holds.
func (doc *keysText) keys() (*Keys, error) {
	raw := func(name, text string) ([]byte, error) {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 32 {
			return nil, fmt.Errorf("%s: 64 hexadecimal digits are wanted", name)
		}
		return b, nil
	}
	identity, err := raw("identity", doc.Identity)
	if err != nil {
		return nil, err
	}
	if _, err := onetnet.PublicIdentity(identity); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	seed, err := raw("signing", doc.Signing)
	if err != nil {
		return nil, err
	}
	signing, err := sig.FromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	scalar, err := raw("cosi", doc.Cosi)
	if err != nil {
		return nil, err
	}
	secret, err := cosi.ParseSecret(scalar)
	if err != nil {
		return nil, err
	}
	seed, err = raw("vrf", doc.VRF)
	if err != nil {
		return nil, err
	}
	lottery, err := vrf.SecretFromSeed(seed)
	if err != nil {
		return nil, err
	}
	scalar, err = raw("pvss", doc.PVSS)
	if err != nil {
		return nil, err
	}
	shares, err := pvss.ParseSecret(scalar)
	if err != nil {
		return nil, err
	}
	return &Keys{Identity: identity, Signing: signing, Cosi: secret, VRF: lottery, PVSS: shares}, nil
}

// SaveKeys writes new keys into a home, which it makes if need be. It never
// overwrites keys: a validator that loses them is out of its committee.
func (h Home) SaveKeys(k *Keys) error {
	if err := h.make(); err != nil {
		return err
	}
	return h.saveKeys(h.KeysFile(), k)
}

func (h Home) saveKeys(path string, k *Keys) error {
	text, err := encode(keysText{
		Identity: hex.EncodeToString(k.Identity),
		Signing:  hex.EncodeToString(k.Signing.Seed()),
		Cosi:     hex.EncodeToString(k.Cosi.Bytes()),
		VRF:      hex.EncodeToString(k.VRF.Seed()),
		PVSS:     hex.EncodeToString(k.PVSS.Bytes()),
	})
	if err != nil {
		return err
	}
	defer clear(text)
	return CreateFile(path, text, 0o600)
}

// Validator is the public side of the keys, with the proofs of possession, for
// the genesis. Address is where other validators reach it, api the base URL for
// clients.
func (k *Keys) Validator(name, address, api string) (*chain.Validator, error) {
	v, err := k.public()
	if err != nil {
		return nil, err
	}
	v.Name, v.Address, v.API = name, address, api
	if v.Possession, err = (cosi.BLS{}).Prove(k.Cosi); err != nil {
		return nil, err
	}
	if v.VRFProof, err = k.VRF.ProvePossession(v.ProofContext()); err != nil {
		return nil, err
	}
	proof, err := pvss.ProvePossession(k.PVSS, v.ProofContext(), rand.Reader)
	if err != nil {
		return nil, err
	}
	v.PVSSProof = proof
	return v, nil
}

// public has the public keys.
func (k *Keys) public() (*chain.Validator, error) {
	v := &chain.Validator{Signing: k.Signing.Public(), VRF: k.VRF.Public()}
	identity, err := onetnet.PublicIdentity(k.Identity)
	if err != nil {
		return nil, err
	}
	copy(v.Identity[:], identity)
	if v.Cosi, err = (cosi.BLS{}).Public(k.Cosi); err != nil {
		return nil, err
	}
	shares, err := k.PVSS.Public()
	v.PVSS = shares
	return v, err
}
