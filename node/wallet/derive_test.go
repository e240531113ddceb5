package wallet

import (
	"encoding/hex"
	"fmt"
	"testing"

	"ios/chain"
	"ios/chain/sig"
)

const (
	goldenTest0 = "iost1p0ht5vdd4wdew6ar973s4vda29a3lp0gq44c59jcd4wm05h6fgdmqprxunx"
	goldenTest7 = "iost1p8lhutrl8kx8vvvq2phy3zd8dzlzyt72vd9sd0gzn4t5fmlswjg7sv8xw53"
	goldenMain0 = "ios1phu24lhyem79h2lztth5hn88hr5956qdj2y2uu09rntuygrfza84qas846t"
	goldenMain7 = "ios1pp59fnk0tt8yh40dq93sruhkyqalw2d0v7pmzhg7g397r9w3qyh3sj38070"
)

// TestSLIP10Vectors are the Ed25519 ones of SLIP-0010.
func TestSLIP10Vectors(t *testing.T) {
	const long = "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542"
	for _, v := range []struct {
		seed           string
		path           []uint32
		code, key, pub string
	}{
		{"000102030405060708090a0b0c0d0e0f", nil,
			"90046a93de5380a72b5e45010748567d5ea02bbf6522f979e05c0d8d8ca9fffb",
			"2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
			"a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed"},
		{"000102030405060708090a0b0c0d0e0f", []uint32{0},
			"8b59aa11380b624e81507a27fedda59fea6d0b779a778918a2fd3590e16e9c69",
			"68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
			"8c8a13df77a28f3445213a0f432fde644acaa215fc72dcdf300d5efaa85d350c"},
		{"000102030405060708090a0b0c0d0e0f", []uint32{0, 1},
			"a320425f77d1b5c2505a6b1b27382b37368ee640e3557c315416801243552f14",
			"b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2", ""},
		{"000102030405060708090a0b0c0d0e0f", []uint32{0, 1, 2, 2, 1000000000},
			"68789923a0cac2cd5a29172a475fe9e0fb14cd6adb5ad98a3fa70333e7afa230",
			"8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793", ""},
		{long, nil,
			"ef70a74db9c3a5af931b5fe73ed8e1a53464133654fd55e7a66f8570b8e33c3b",
			"171cb88b1b3c1db25add599712e36245d75bc65a1a5c9e18d76f9f2b1eab4012", ""},
	} {
		seed, _ := hex.DecodeString(v.seed)
		k := master(seed)
		for _, i := range v.path {
			k = k.child(i)
		}
		if got := hex.EncodeToString(k.code[:]); got != v.code {
			t.Errorf("%v: chain code %s", v.path, got)
		}
		if got := hex.EncodeToString(k.key[:]); got != v.key {
			t.Errorf("%v: key %s", v.path, got)
		}
		if v.pub == "" {
			continue
		}
		signer, err := sig.FromSeed(k.key[:])
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", signer.Public()); got != v.pub {
			t.Errorf("%v: public key %s", v.path, got)
		}
	}
}

// TestTheWalletsOwnPath fixes addresses that must never change: they are what
// the words of somebody's backup stand for.
func TestTheWalletsOwnPath(t *testing.T) {
	seed, err := wordsSeed(wordsOf(make([]byte, 32)), "")
	if err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][2]string{
		chain.PrefixTest: {goldenTest0, goldenTest7},
		chain.PrefixMain: {goldenMain0, goldenMain7},
	} {
		b := branch(seed, prefix)
		for i, index := range []uint32{0, 7} {
			k, err := b.keyAt(index)
			if err != nil {
				t.Fatal(err)
			}
			if got := k.Address.Text(prefix); got != want[i] {
				t.Errorf("address %d on %s is %s", index, prefix, got)
			}
		}
	}
}

func TestKeysDoNotPrintThemselves(t *testing.T) {
	b := branch(make([]byte, 64), chain.PrefixTest)
	k, err := b.keyAt(0)
	if err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprintf("%x", k.signer.Seed())
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if s := fmt.Sprintf(verb, k.signer); s != "private key" || s == secret {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}
