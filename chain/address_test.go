package chain

import (
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

func TestAddressesRoundTripAndRefuseTheRest(t *testing.T) {
	a := ownerOf(testKey(7))
	text := a.Text(PrefixMain)
	if !strings.HasPrefix(text, "ios1") {
		t.Error(text)
	}
	if got, err := ParseAddress(PrefixMain, text); err != nil || got != a {
		t.Error(got, err)
	}
	if got, err := ParseAddress(PrefixMain, strings.ToUpper(text)); err != nil || got != a {
		t.Error("upper case:", got, err)
	}
	typo := []byte(text)
	typo[20] ^= 1
	data, _ := bech32.ConvertBits(a[:], 8, 5, true)
	classic, _ := bech32.Encode(PrefixMain, append([]byte{addressVersion}, data...))
	newer, _ := bech32.EncodeM(PrefixMain, append([]byte{2}, data...))
	short, _ := bech32.EncodeM(PrefixMain, append([]byte{addressVersion}, data[:50]...))
	for name, bad := range map[string]string{
		"typing error": string(typo), "test network": a.Text(PrefixTest), "bech32": classic,
		"version": newer, "short": short, "empty": "", "mixed case": strings.ToUpper(text[:9]) + text[9:],
	} {
		if _, err := ParseAddress(PrefixMain, bad); !errors.Is(err, ErrAddress) {
			t.Errorf("%s %q: %v", name, bad, err)
		}
	}
}

// TestTheRightChecksumIsNotTold: who is told it makes a wrong address a right one.
func TestTheRightChecksumIsNotTold(t *testing.T) {
	text := Address{7}.Text(PrefixMain)
	last := "q"
	if strings.HasSuffix(text, last) {
		last = "p"
	}
	_, err := ParseAddress(PrefixMain, text[:len(text)-1]+last)
	if err == nil || !strings.Contains(err.Error(), "the checksum is wrong") || strings.Contains(err.Error(), text[len(text)-6:]) {
		t.Error(err)
	}
}

func TestTheShardIsTheTopBits(t *testing.T) {
	a := Address{0b10110111, 0b01000001}
	for shards, want := range map[int]ShardID{1: 0, 2: 1, 4: 2, 8: 5, 16: 11, 256: 183} {
		if got := a.Shard(shards); got != want {
			t.Errorf("%d shards: %d, want %d", shards, got, want)
		}
	}
}

// Valid and invalid strings of BIP-350.
func TestBech32mVectors(t *testing.T) {
	for _, s := range []string{
		"A1LQFN3A", "a1lqfn3a",
		"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v", "?1v759aa",
	} {
		if _, _, v, err := bech32.DecodeGeneric(s); err != nil || v != bech32.VersionM {
			t.Errorf("%s: %v %v", s, v, err)
		}
	}
	for _, s := range []string{
		"\x201xj0phk", "\x7f1g6xzxy", "\x801vctc34", "qyrz8wqd2c9m", "1qyrz8wqd2c9m", "y1b0jsk6g", "lt1igcx5c0",
		"in1muywd", "mm1crxm3i", "au1s5cgom", "M1VUXWEZ", "16plkw9", "1p2gdwpf",
		"an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
	} {
		if _, _, v, err := bech32.DecodeGeneric(s); err == nil && v == bech32.VersionM {
			t.Errorf("%q was accepted", s)
		}
	}
}
