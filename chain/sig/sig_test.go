package sig

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// root is the folder of go.mod.
func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func TestKeysAreCheckedBeforeTheyAreRegistered(t *testing.T) {
	key, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := key.Public()
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	neutral := PublicKey{1}
	order2 := PublicKey{0xec}
	for i := 1; i < 31; i++ {
		order2[i] = 0xff
	}
	order2[31] = 0x7f
	zero := PublicKey{0xed} // p, which is 0 in another encoding
	copy(zero[1:], order2[1:])
	for name, k := range map[string]PublicKey{"no point": {2}, "order 1": neutral, "order 2": order2, "order 4": {}, "not canonical": zero} {
		if k.Check() == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestWycheproof(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root(t), "../shared/data/vectors/wycheproof/ed25519_test.json"))
	if err != nil {
		t.Skip("no vectors beside the checkout:", err)
	}
	var file struct {
		TestGroups []struct {
			PublicKey struct{ Pk string }
			Tests     []struct {
				TcID             int
				Msg, Sig, Result string
				Comment          string
			}
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range file.TestGroups {
		pk, _ := hex.DecodeString(g.PublicKey.Pk)
		for _, c := range g.Tests {
			msg, _ := hex.DecodeString(c.Msg)
			s, _ := hex.DecodeString(c.Sig)
			good := false
			if len(pk) == 32 && len(s) == 64 {
				key, sig := PublicKey(pk), [64]byte(s)
				good = Verify(&key, msg, &sig)
				k := NewChecker(4, rand.Reader)
				k.Add(&key, msg, &sig)
				if (k.Check() == nil) != good {
					t.Errorf("%d: batch and single disagree", c.TcID)
				}
			}
			// 151 is R = (0, 1) with the sign bit set: ZIP-215 decodes it on
			// purpose, since it never rejects what some verifier accepted.
			if want := c.Result == "valid" || c.TcID == 151; good != want {
				t.Errorf("%d %s: %v, want %v", c.TcID, c.Comment, good, want)
			}
			n++
		}
	}
	if n < 100 {
		t.Error("only", n, "vectors")
	}
}

// RFC 8032, section 7.1, tests 1 to 3.
func TestRFC8032(t *testing.T) {
	for _, v := range []struct{ seed, public, msg, sig string }{
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	} {
		seed, _ := hex.DecodeString(v.seed)
		msg, _ := hex.DecodeString(v.msg)
		k, err := FromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		public := k.Public()
		if s := k.Sign(msg); hex.EncodeToString(s[:]) != v.sig || hex.EncodeToString(public[:]) != v.public {
			t.Error("vector of", v.public)
		}
	}
}

// The 14 encodings of small-order points: keys and R made of them, with S = 0,
// satisfy the cofactored equation. ZIP-215 accepts all 196 pairs, one by one
// and in a batch; a library that rejects one would fork the chain.
func TestZIP215Matrix(t *testing.T) {
	var points [][]byte
	for _, s := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		p, _ := hex.DecodeString(s)
		points = append(points, p)
	}
	batch := NewChecker(0, rand.Reader)
	for _, a := range points {
		for _, r := range points {
			key := PublicKey(a)
			s := [64]byte(append(bytes.Clone(r), make([]byte, 32)...))
			if !Verify(&key, []byte("Zcash"), &s) {
				t.Errorf("key %x R %x is refused", a, r)
			}
			batch.Add(&key, []byte("Zcash"), &s)
		}
	}
	if v := batch.Check(); v != nil {
		t.Error("the batch refuses some:", v)
	}
}

func TestABatchNamesTheBadOnes(t *testing.T) {
	c := NewChecker(16, rand.Reader)
	for round := range 2 { // the second finds its keys in the cache
		for i := range 20 {
			k, _ := FromSeed(bytes.Repeat([]byte{byte(i)}, 32))
			s := k.Sign([]byte{byte(i)})
			if i%7 == 3 {
				s[40]++
			}
			p := k.Public()
			c.Add(&p, []byte{byte(i)}, &s)
		}
		verdicts := c.Check()
		if len(verdicts) != 20 {
			t.Fatal(round, verdicts)
		}
		for i, ok := range verdicts {
			if ok == (i%7 == 3) {
				t.Error("round", round, "signature", i, "is", ok)
			}
		}
	}
}

func BenchmarkBatch1024(b *testing.B) {
	for _, cached := range []int{0, 4096} {
		b.Run(map[int]string{0: "uncached", 4096: "cached"}[cached], func(b *testing.B) {
			c := NewChecker(cached, rand.Reader)
			var keys [1024]PublicKey
			var sigs [1024][64]byte
			msg := make([]byte, 50)
			for i := range keys {
				k, _ := Generate(rand.Reader)
				keys[i], sigs[i] = k.Public(), k.Sign(msg)
			}
			for b.Loop() {
				for i := range keys {
					c.Add(&keys[i], msg, &sigs[i])
				}
				if c.Check() != nil {
					b.Fatal("refused")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1024, "µs/sig")
		})
	}
}
