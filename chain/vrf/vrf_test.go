package vrf

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"pgregory.net/rapid"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func newSecret(t testing.TB) Secret {
	s, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// RFC 9381, appendix B.4.
func TestRFC9381(t *testing.T) {
	for _, v := range []struct{ secret, public, input, proof, output string }{
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501",
			"9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c856b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801",
			"38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e4635987cd96814ce55b4689b3dd2947f80e59aac7b7675f8083865b46c89b2ce9cc735"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04",
			"121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a7b5fbd148444f17f8daf1fb55cb04b1ae85a626e30a54b4b0f8abf4a43314a58"},
	} {
		s, err := SecretFromSeed(unhex(v.secret))
		if err != nil {
			t.Fatal(err)
		}
		proof, err := s.Prove(unhex(v.input))
		if err != nil {
			t.Fatal(err)
		}
		key := s.Public()
		out, ok := key.Verify(unhex(v.input), &proof)
		if hex.EncodeToString(proof[:]) != v.proof || hex.EncodeToString(key[:]) != v.public || !ok || hex.EncodeToString(out[:]) != v.output {
			t.Errorf("input %s: key %x, proof %x, output %x, good %v", v.input, key, proof, out, ok)
		}
		if same, err := proof.Output(); err != nil || same != out {
			t.Errorf("the proof alone gives %x, %v", same, err)
		}
	}
}

func TestAnyChangedBitIsRefused(t *testing.T) {
	s := newSecret(t)
	input := []byte("input")
	proof, err := s.Prove(input)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * ProofSize {
		p := proof
		p[bit/8] ^= 1 << (bit % 8)
		key := s.Public()
		if _, ok := key.Verify(input, &p); ok {
			t.Errorf("with bit %d changed it is good", bit)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		other := rapid.SliceOf(rapid.Byte()).Draw(t, "other")
		key := s.Public()
		if _, ok := key.Verify(other, &proof); ok != bytes.Equal(other, input) {
			t.Fatalf("for input %q: %v", other, ok)
		}
	})
	stranger := newSecret(t).Public()
	if _, ok := stranger.Verify(input, &proof); ok {
		t.Error("it is good under another key")
	}
}

// order8 is a point of order 8, which a holder of a key can add to what it shows.
var order8 = unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")

// A point of small order in a proof does not change the output, if the proof
// passes at all.
func TestSmallOrderDoesNotMoveTheOutput(t *testing.T) {
	s := newSecret(t)
	proof, err := s.Prove([]byte("input"))
	if err != nil {
		t.Fatal(err)
	}
	var y, small curve.CompressedEdwardsY
	copy(y[:], proof[:32])
	copy(small[:], order8)
	gamma, torsion := curve.NewEdwardsPoint(), curve.NewEdwardsPoint()
	if _, err := gamma.SetCompressedY(&y); err != nil {
		t.Fatal(err)
	}
	if _, err := torsion.SetCompressedY(&small); err != nil {
		t.Fatal(err)
	}
	y.SetEdwardsPoint(gamma.Add(gamma, torsion))
	moved := proof
	copy(moved[:], y[:])
	a, err := proof.Output()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := moved.Output(); err != nil || b != a || moved == proof {
		t.Errorf("%x and %x, %v", a, b, err)
	}
	key := s.Public()
	if _, ok := key.Verify([]byte("input"), &moved); ok {
		t.Error("and the proof passes as it is")
	}
}

func TestKeysAreChecked(t *testing.T) {
	good := newSecret(t).Public()
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	proof := Proof{}
	for name, k := range map[string]PublicKey{
		"no point": {2}, "order 1": {1}, "order 4": {}, "order 8": PublicKey(order8),
		"order 2":       PublicKey(unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")),
		"not canonical": PublicKey(unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")),
	} {
		if k.Check() == nil {
			t.Errorf("%s passes", name)
		}
		if _, ok := k.Verify(nil, &proof); ok {
			t.Errorf("%s verifies", name)
		}
		if k.VerifyPossession(nil, &proof) == nil {
			t.Errorf("%s is possessed", name)
		}
	}
}

func TestPossession(t *testing.T) {
	s, other := newSecret(t), newSecret(t)
	key, stranger := s.Public(), other.Public()
	proof, err := s.ProvePossession([]byte("validator 7"))
	if err != nil {
		t.Fatal(err)
	}
	if err := key.VerifyPossession([]byte("validator 7"), &proof); err != nil {
		t.Error(err)
	}
	if key.VerifyPossession([]byte("validator 8"), &proof) == nil {
		t.Error("it is good for somebody else's registration")
	}
	if stranger.VerifyPossession([]byte("validator 7"), &proof) == nil {
		t.Error("it is good for another key")
	}
	plain, err := s.Prove([]byte("validator 7"))
	if err != nil || key.VerifyPossession([]byte("validator 7"), &plain) == nil {
		t.Error("a proof of another use is one of possession:", err)
	}
}

func TestSecretsTellNothing(t *testing.T) {
	s := newSecret(t)
	holder := struct {
		Name string
		key  Secret
		Ptr  *Secret
	}{"holder", s, &s}
	seed := s.Seed()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, v := range []any{s, &s, holder, &holder} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, hex.EncodeToString(seed)) || strings.Contains(text, fmt.Sprint(seed)[1:20]) || strings.Contains(text, string(seed)) {
				t.Errorf("%s prints the key: %s", verb, text)
			}
		}
	}
	again, err := SecretFromSeed(seed)
	if err != nil || again.Public() != s.Public() {
		t.Error("the seed gives another key:", err)
	}
	copied := s
	copied.Wipe()
	if _, err := s.Prove(nil); !errors.Is(err, ErrSecret) {
		t.Error("a wiped key proves:", err)
	}
	if _, err := (Secret{}).Prove(nil); !errors.Is(err, ErrSecret) || (Secret{}).Seed() != nil {
		t.Error("no key proves:", err)
	}
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := SecretFromSeed(make([]byte, n)); err == nil {
			t.Errorf("a seed of %d bytes is taken", n)
		}
	}
	if _, err := Generate(bytes.NewReader(seed[:20])); err == nil {
		t.Error("too little randomness makes a key")
	}
}

// Whatever arrives: no panic, and no proof but the holder's.
func FuzzVerify(f *testing.F) {
	s, err := SecretFromSeed(make([]byte, SeedSize))
	if err != nil {
		f.Fatal(err)
	}
	good, err := s.Prove([]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	key := s.Public()
	want, err := good.Output()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key[:], good[:], []byte{1})
	f.Add(order8, make([]byte, ProofSize), []byte{})
	f.Fuzz(func(t *testing.T, k, p, input []byte) {
		if len(k) != len(key) || len(p) != ProofSize {
			return
		}
		pk, proof := PublicKey(k), Proof(p)
		_, _ = proof.Output()
		if out, ok := pk.Verify(input, &proof); ok && pk == key && bytes.Equal(input, []byte{1}) && out != want {
			t.Fatal("the function has two values")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := newSecret(b)
	key := s.Public()
	proof, err := s.Prove([]byte("input"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ok := key.Verify([]byte("input"), &proof); !ok {
			b.Fatal("refused")
		}
	}
}
