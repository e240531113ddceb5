package wallet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestWordList: the hash is that of english.txt in the BIP's repository.
func TestWordList(t *testing.T) {
	const want = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
	if sum := sha256.Sum256([]byte(englishText)); hex.EncodeToString(sum[:]) != want || len(english) != 2048 {
		t.Fatalf("%d words, hash %x", len(english), sum)
	}
}

// TestOfficialVectors are those of BIP-39 for English; their passphrase is
// TREZOR.
func TestOfficialVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/bip39.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Entropy, Mnemonic, Seed string }
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 24 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		entropy, err := hex.DecodeString(v.Entropy)
		if err != nil {
			t.Fatal(err)
		}
		if got := wordsOf(entropy); got != v.Mnemonic {
			t.Errorf("words of %s: %s", v.Entropy, got)
		}
		words, err := CheckWords("  " + strings.ToUpper(v.Mnemonic) + "\n")
		if err != nil || words != v.Mnemonic {
			t.Errorf("%s: %q, %v", v.Mnemonic, words, err)
		}
		seed, err := wordsSeed(words, "TREZOR")
		if err != nil || hex.EncodeToString(seed) != v.Seed {
			t.Errorf("seed of %s: %x, %v", words, seed, err)
		}
	}
}

func TestWrongWordsAreNamed(t *testing.T) {
	good := wordsOf(make([]byte, 32))
	list := strings.Fields(good)
	for name, c := range map[string]struct{ words, says string }{
		"a word too few":  {strings.Join(list[1:], " "), "23 words"},
		"a typing error":  {strings.Replace(good, "art", "artt", 1), `word 24, "artt"`},
		"another order":   {strings.Join(append(list[1:len(list):len(list)], list[0]), " "), "checksum"},
		"another word":    {strings.Replace(good, "art", "arm", 1), "checksum"},
		"nothing at all":  {"", "0 words"},
		"three words fit": {"abandon abandon about", "3 words"},
	} {
		if _, err := CheckWords(c.words); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; %q is wanted", name, err, c.says)
		}
	}
}

func TestEveryEntropyComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entropy := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "entropy")
		words, err := NewWords(bytes.NewReader(entropy))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := CheckWords(words); err != nil || again != words || wordsOf(entropy) != words {
			t.Fatalf("%s: %v", words, err)
		}
	})
}

func FuzzCheckWords(f *testing.F) {
	f.Add(wordsOf(make([]byte, 32)))
	f.Add(wordsOf(make([]byte, 16)))
	f.Add("abandon")
	f.Fuzz(func(t *testing.T, text string) {
		if words, err := CheckWords(text); err == nil {
			if again, err := CheckWords(words); err != nil || again != words {
				t.Fatalf("%q has two forms", text)
			}
		}
	})
}
