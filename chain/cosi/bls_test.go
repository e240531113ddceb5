package cosi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testSecret(t testing.TB, i int) (Secret, PublicKey) {
	t.Helper()
	seed := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	secret, err := SecretFromSeed(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	key, err := BLS{}.Public(secret)
	if err != nil {
		t.Fatal(err)
	}
	return secret, key
}

// The points P of RFC 9380, appendix J.9.1.
func TestHashToCurveIsTheStandards(t *testing.T) {
	const tag = "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
	for _, c := range []struct{ msg, x, y string }{
		{
			"",
			"052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1",
			"08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
		},
		{
			"abc",
			"03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903",
			"0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
		},
		{
			"abcdef0123456789",
			"11e0b079dea29a68f0383ee94fed1b940995272407e3bb916bbf268c263ddd57a6a27200a784cbc248e84f357ce82d98",
			"03a87ae2caf14e8ee52e51fa2ed8eefe80f02457004ba4d486d6aa1f517c0889501dc7413753f9599b099ebcbbd2d709",
		},
	} {
		p, err := hashToG1([]byte(c.msg), tag)
		if err != nil {
			t.Fatal(err)
		}
		raw := p.RawBytes()
		if hex.EncodeToString(raw[:]) != c.x+c.y {
			t.Errorf("hash of %q is %x", c.msg, raw)
		}
	}
}

// A round of the public beacon "quicknet" of drand: other people's key and
// signature, over the same curve, encodings and hash, under a tag of its own.
func TestASignatureFromElsewhereVerifies(t *testing.T) {
	key, err := parseKey(PublicKey(unhex(t, "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"+
		"8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a")))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := parseSignature(Signature(unhex(t, "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39")))
	if err != nil {
		t.Fatal(err)
	}
	for round, want := range map[uint64]bool{1000: true, 1001: false} {
		msg := sha256.Sum256(binary.BigEndian.AppendUint64(nil, round))
		h, err := hashToG1(msg[:], "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_")
		if err != nil {
			t.Fatal(err)
		}
		if l := bls.PrecomputeLines(key); pairs(&sig, &h, &l) != want {
			t.Errorf("round %d verifies: %v", round, !want)
		}
	}
}

// Points of the curve outside the group, of their own and added to good ones:
// the pairing does not tell them apart reliably, so that parsing must.
func TestPointsOutsideTheGroupAreRefused(t *testing.T) {
	secret, key := testSecret(t, 0)
	sig, err := BLS{}.Sign(secret, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	good, err := parseSignature(sig)
	if err != nil {
		t.Fatal(err)
	}
	// (0, 2) is on y² = x³+4 and has order 3.
	var small, shifted bls.G1Affine
	small.Y.SetUint64(2)
	shifted.Add(&good, &small)
	if !small.IsOnCurve() || !shifted.IsOnCurve() {
		t.Fatal("the test's points are not on the curve")
	}
	outside := bls.GeneratePointNotInG1(fp.NewElement(7))
	var large bls.G1Affine
	large.FromJacobian(&outside)
	for what, p := range map[string]bls.G1Affine{"order 3": small, "signature and order 3": shifted, "large order": large} {
		if _, err := parseSignature(p.Bytes()); !errors.Is(err, ErrPoint) {
			t.Errorf("signature, %s: %v", what, err)
		}
	}

	goodKey, err := parseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var x bls.E2
	x.SetOne()
	outside2 := bls.GeneratePointNotInG2(x)
	var torsion bls.G2Affine
	torsion.FromJacobian(&outside2)
	torsion.ScalarMultiplication(&torsion, fr.Modulus())
	var shifted2 bls.G2Affine
	shifted2.Add(&goodKey, &torsion)
	if torsion.IsInfinity() || !shifted2.IsOnCurve() {
		t.Fatal("the test's points are not on the twist")
	}
	for what, p := range map[string]bls.G2Affine{"cofactor torsion": torsion, "key and torsion": shifted2} {
		bad := PublicKey(p.Bytes())
		if _, err := (BLS{}).NewCommittee([]PublicKey{key, bad}); !errors.Is(err, ErrKey) {
			t.Errorf("key, %s: %v", what, err)
		}
		if err := (BLS{}).VerifyPossession(bad, sig); !errors.Is(err, ErrKey) {
			t.Errorf("proof for a key, %s: %v", what, err)
		}
	}
}

// Every flag and coordinate that is not the one form of a point.
func TestOtherEncodingsOfAPointAreRefused(t *testing.T) {
	secret, _ := testSecret(t, 0)
	sig, err := BLS{}.Sign(secret, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	x := sig
	x[0] &= 0x1f
	for flags := range 8 {
		x[0] = x[0]&0x1f | byte(flags)<<5
		_, err := parseSignature(x)
		compressed := flags == 4 || flags == 5 // either root of y²
		if compressed != (err == nil) {
			t.Errorf("flags %03b: %v", flags, err)
		}
	}
	// The same x, not reduced: possible where x + p still fits 381 bits, which
	// about one signature in four allows.
	tried := 0
	for m := range 40 {
		sig, err := BLS{}.Sign(secret, []byte{byte(m)})
		if err != nil {
			t.Fatal(err)
		}
		x := sig
		x[0] &= 0x1f
		n := new(big.Int).SetBytes(x[:])
		if n.Add(n, fp.Modulus()).BitLen() > 381 {
			continue
		}
		tried++
		n.FillBytes(x[:])
		x[0] |= sig[0] & 0xe0
		if _, err := parseSignature(x); !errors.Is(err, ErrPoint) {
			t.Errorf("x + p: %v", err)
		}
	}
	if tried == 0 {
		t.Error("no signature had a second representation to try")
	}
}

// What makes proofs of possession necessary: with a key chosen after the others'
// one member signs for everybody.
func TestARogueKeySignsForAllButHasNoProof(t *testing.T) {
	_, key0 := testSecret(t, 0)
	_, key1 := testSecret(t, 1)
	mine, mineKey := testSecret(t, 2)
	rogue, err := parseKey(mineKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []PublicKey{key0, key1} {
		p, err := parseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		rogue.Sub(&rogue, &p)
	}
	rogueKey := PublicKey(rogue.Bytes())
	committee, err := BLS{}.NewCommittee([]PublicKey{key0, key1, rogueKey})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := BLS{}.Sign(mine, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	all := NewMask(3)
	all.add(committee.maskOf(0))
	all.add(committee.maskOf(1))
	all.add(committee.maskOf(2))
	if err := committee.Verify([]byte("m"), Certificate{all, sig}); err != nil {
		t.Fatalf("the attack that this is about does not work: %v", err)
	}
	honest, err := BLS{}.Prove(mine)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := multiplyHash(mine, rogueKey[:], possessionTag)
	if err != nil {
		t.Fatal(err)
	}
	for what, proof := range map[string]Signature{"the proof of another key": honest, "a proof by the secret at hand": forged} {
		if err := (BLS{}).VerifyPossession(rogueKey, proof); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Keys that cancel out verify nothing, and shares that cancel out are no sum.
func TestCancellingKeysAndShares(t *testing.T) {
	secret, key := testSecret(t, 0)
	p, err := parseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.Neg(&p)
	committee, err := BLS{}.NewCommittee([]PublicKey{key, p.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := BLS{}.Sign(secret, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	both := NewMask(2)
	both.Set(0)
	both.Set(1)
	if err := committee.Verify([]byte("m"), Certificate{both, sig}); !errors.Is(err, ErrSignature) {
		t.Errorf("under keys that cancel out: %v", err)
	}
	minus, err := parseSignature(sig)
	if err != nil {
		t.Fatal(err)
	}
	minus.Neg(&minus)
	_, other := testSecret(t, 1)
	committee, err = BLS{}.NewCommittee([]PublicKey{key, other})
	if err != nil {
		t.Fatal(err)
	}
	k := NewCollector(committee, []byte("m"))
	for seat, share := range []Signature{sig, minus.Bytes()} {
		if err := k.AddShare(seat, share); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Aggregate(); !errors.Is(err, ErrPoint) {
		t.Errorf("a sum that is nothing: %v", err)
	}
	if culprits := k.Settle(); len(culprits) != 1 || culprits[0] != 1 {
		t.Errorf("culprits %v", culprits)
	}
	if sum, err := k.Aggregate(); err != nil || sum.Sig != sig {
		t.Errorf("what is left: %v", err)
	}
}

// The sum of keys by either way, against adding them one by one.
func TestKeyOfEverySubset(t *testing.T) {
	var keys []PublicKey
	for i := range 7 {
		_, key := testSecret(t, i)
		keys = append(keys, key)
	}
	parsed, err := new(blsKeys).Derive(keys)
	if err != nil {
		t.Fatal(err)
	}
	k := parsed.(*blsKeys)
	for set := range 1 << 7 {
		mask, err := ParseMask(7, []byte{byte(set)})
		if err != nil {
			t.Fatal(err)
		}
		var want bls.G2Affine
		for i := range 7 {
			if mask.Has(i) {
				want.Add(&want, &k.points[i])
			}
		}
		if got := k.keyOf(mask); !got.Equal(&want) {
			t.Errorf("sum of %v", mask.Members())
		}
	}
}

// Whatever parses is the one encoding of a point of the group.
func FuzzParse(f *testing.F) {
	secret, key := testSecret(f, 0)
	sig, err := BLS{}.Sign(secret, []byte("m"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sig[:], key[:])
	f.Add(make([]byte, 48), make([]byte, 96))
	f.Add([]byte{0xc0}, []byte{0xc0})
	f.Fuzz(func(t *testing.T, rawSig, rawKey []byte) {
		var sig Signature
		copy(sig[:], rawSig)
		if p, err := parseSignature(sig); err == nil && (p.Bytes() != sig || !p.IsOnCurve() || !p.IsInSubGroup()) {
			t.Errorf("%x parses", sig)
		}
		var key PublicKey
		copy(key[:], rawKey)
		if p, err := parseKey(key); err == nil && (p.Bytes() != key || !p.IsOnCurve() || !p.IsInSubGroup()) {
			t.Errorf("%x parses", key)
		}
	})
}
