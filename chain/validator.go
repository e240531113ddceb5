package chain

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/chain/vrf"
)

// Validator is a member of the registry. The keys have one use each, and two
// validators never share one.
type Validator struct {
	Name    string
	Address string // host:port that other validators reach it at
	API     string // base URL for clients; may be empty

	Identity [32]byte       // transport key (Ed25519 point)
	Signing  sig.PublicKey  // bodies and messages
	Cosi     cosi.PublicKey // votes
	VRF      vrf.PublicKey  // lottery
	PVSS     [32]byte       // shares of the random beacon, a key of package drp/pvss

	// The proofs that its owner holds the keys' secrets. Those of VRF and PVSS
	// are for [Validator.ProofContext], so that they are good with these keys only.
	Possession cosi.Signature
	VRFProof   vrf.Proof
	PVSSProof  [64]byte // of drp/pvss, which checks it

	Stake uint64 // base units
}

// CheckName checks the name of a validator, which is also a folder's and a word
// in logs and commands.
func CheckName(name string) error {
	good := len(name) <= 64
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		good = good && (letter || i > 0 && (c == '-' || c == '_' || c == '.'))
	}
	if !good || name == "" {
		return fmt.Errorf("name %.80q: up to 64 letters of ASCII, digits, and behind the first also - _ . are wanted", name)
	}
	return nil
}

const maxHost = 256 // bytes of an address or URL

// plain reports whether a text of others can be shown and logged as it is.
func plain(s string) bool {
	return len(s) <= maxHost && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// ProofContext is what the proofs of possession are made for: all keys.
func (v *Validator) ProofContext() []byte {
	h := tagged(tagKeys, v.Identity[:], v.Signing[:], v.Cosi[:], v.VRF[:], v.PVSS[:])
	return h[:]
}

// Check checks all that a validator alone shows, but for the stake and for the
// PVSS key and its proof.
func (v *Validator) Check(scheme cosi.Scheme) error {
	if err := CheckName(v.Name); err != nil {
		return err
	}
	if host, port, err := net.SplitHostPort(v.Address); err != nil || host == "" || port == "" || !plain(v.Address) {
		return fmt.Errorf("address %.300q: host:port is wanted, with a host that others can reach", v.Address)
	}
	identity := sig.PublicKey(v.Identity)
	if err := identity.Check(); err != nil {
		return fmt.Errorf("identity key: %w", err)
	}
	if err := v.Signing.Check(); err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	if v.API != "" {
		u, err := url.Parse(v.API)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || !plain(v.API) {
			return fmt.Errorf("api %.300q: an http or https URL is wanted", v.API)
		}
	}
	if v.Signing == v.Identity || v.VRF == v.Identity || [32]byte(v.VRF) == v.Signing {
		return errors.New("the identity, signing and vrf keys are not three: each has one use")
	}
	if err := v.VRF.VerifyPossession(v.ProofContext(), &v.VRFProof); err != nil {
		return fmt.Errorf("vrf key: %w", err)
	}
	if err := scheme.VerifyPossession(v.Cosi, v.Possession); err != nil {
		return fmt.Errorf("cosi key: %w", err)
	}
	return nil
}

// Claim is something that no two validators of a network have.
type Claim struct {
	What  string
	Value string
}

// Claims are what the validator alone may have. Keys of one kind of curve stand
// in each other's way whatever their use.
func (v *Validator) Claims() []Claim {
	return []Claim{
		{"name", v.Name},
		{"address", v.Address},
		{"identity, signing or vrf key", string(v.Identity[:])},
		{"identity, signing or vrf key", string(v.Signing[:])},
		{"identity, signing or vrf key", string(v.VRF[:])},
		{"cosi key", string(v.Cosi[:])},
		{"pvss key", string(v.PVSS[:])},
	}
}

// AppendTo appends the canonical encoding.
func (v *Validator) AppendTo(dst []byte) []byte {
	dst = AppendBlob(dst, []byte(v.Name))
	dst = AppendBlob(dst, []byte(v.Address))
	dst = AppendBlob(dst, []byte(v.API))
	dst = append(dst, v.Identity[:]...)
	dst = append(dst, v.Signing[:]...)
	dst = append(dst, v.Cosi[:]...)
	dst = append(dst, v.VRF[:]...)
	dst = append(dst, v.PVSS[:]...)
	dst = append(dst, v.Possession[:]...)
	dst = append(dst, v.VRFProof[:]...)
	dst = append(dst, v.PVSSProof[:]...)
	return be.AppendUint64(dst, v.Stake)
}

// ValidatorMinSize is the least length of an encoded validator.
const ValidatorMinSize = 3*4 + 4*32 + cosi.KeySize + cosi.SignatureSize + vrf.ProofSize + 64 + 8

// Validator reads a validator. Nothing about it is checked.
func (r *Reader) Validator() (v Validator) {
	v.Name, v.Address, v.API = string(r.Blob(maxHost)), string(r.Blob(maxHost)), string(r.Blob(maxHost))
	for _, to := range [][]byte{
		v.Identity[:], v.Signing[:], v.Cosi[:], v.VRF[:], v.PVSS[:],
		v.Possession[:], v.VRFProof[:], v.PVSSProof[:],
	} {
		copy(to, r.Bytes(len(to)))
	}
	v.Stake = r.U64()
	return v
}
