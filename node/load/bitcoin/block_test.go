package bitcoin

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// genesisBlock is Bitcoin's first block, which every client carries.
const genesisBlock = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c" +
	"0101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff" +
	"0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"

func TestTheFirstBlock(t *testing.T) {
	raw, err := hex.DecodeString(genesisBlock)
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{0xf9, 0xbe, 0xb4, 0xd9, byte(len(raw)), byte(len(raw) >> 8), 0, 0}, raw...)
	for name, text := range map[string][]byte{"bare": raw, "framed": frame} {
		b, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.Hash.String() != "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f" {
			t.Errorf("%s: block %v", name, b.Hash)
		}
		if len(b.Txs) != 1 || !b.Txs[0].Coinbase() || b.Txs[0].Outputs[0].Amount != 50_0000_0000 {
			t.Errorf("%s: %+v", name, b.Txs)
		}
	}
	for name, text := range map[string][]byte{
		"cut short":          raw[:len(raw)-1],
		"bytes left over":    append(append([]byte{}, raw...), 0),
		"frame too long":     frame[:len(frame)-1],
		"two blocks":         append(append([]byte{}, frame...), frame...),
		"another amount":     append(append([]byte{}, raw[:len(raw)-80]...), append([]byte{1}, raw[len(raw)-79:]...)...),
		"a count of billons": append(append([]byte{}, raw[:80]...), 0xfe, 0xff, 0xff, 0xff, 0xff),
		"nothing":            nil,
		"too long":           make([]byte, MaxBytes+1),
	} {
		if _, err := Parse(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// data is a real block, if the test data is there.
func data(t testing.TB, name string) []byte {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "../shared/data/bitcoin", name))
	if err != nil {
		t.Skipf("the test data is absent: %v", err)
	}
	return raw
}

func TestRealBlocks(t *testing.T) {
	for _, c := range []struct {
		file, hash string
		segwit     bool
	}{
		{"0000000000000000001602407ac49862a7bca9d00f7f402db20b7be2f5de59d2.blk", "0000000000000000001602407ac49862a7bca9d00f7f402db20b7be2f5de59d2", true},
		{"277647.dat", "", false},
	} {
		b, err := Parse(data(t, c.file))
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		if c.hash != "" && b.Hash.String() != c.hash {
			t.Errorf("%s is block %v", c.file, b.Hash)
		}
		if !strings.HasPrefix(b.Hash.String(), "00000000") {
			t.Errorf("%s: block %v shows no work", c.file, b.Hash)
		}
		witnesses, known, inputs := 0, 0, 0
		for i := range b.Txs {
			for j := range b.Txs[i].Inputs {
				in := &b.Txs[i].Inputs[j]
				witnesses += len(in.Witness)
				inputs++
				if SpentScript(in) != nil {
					known++
				}
			}
		}
		if (witnesses > 1) != c.segwit {
			t.Errorf("%s: %d witnesses", c.file, witnesses)
		}
		if known < inputs*9/10 {
			t.Errorf("%s: the owners of %d of %d inputs are known, nearly all are wanted", c.file, known, inputs)
		}
	}
}

// Within a block, an input and the output that it spends must come to the same
// script.
func TestSpentScriptIsTheOutputs(t *testing.T) {
	b, err := Parse(data(t, "0000000000000000001602407ac49862a7bca9d00f7f402db20b7be2f5de59d2.blk"))
	if err != nil {
		t.Fatal(err)
	}
	outputs := make(map[OutPoint][]byte)
	same, unknown := 0, 0
	for i := range b.Txs {
		for j := range b.Txs[i].Inputs {
			in := &b.Txs[i].Inputs[j]
			script, inside := outputs[in.Previous]
			switch spent := SpentScript(in); {
			case !inside:
			case spent == nil:
				unknown++
			case string(spent) == string(script):
				same++
			default:
				t.Errorf("transaction %v input %d: spends %x, shows %x", b.Txs[i].ID, j, script, spent)
			}
		}
		for j := range b.Txs[i].Outputs {
			outputs[OutPoint{b.Txs[i].ID, uint32(j)}] = b.Txs[i].Outputs[j].Script
		}
	}
	if same == 0 || unknown > same/10 {
		t.Errorf("%d scripts are the same, %d unknown", same, unknown)
	}
}

func FuzzParse(f *testing.F) {
	raw, err := hex.DecodeString(genesisBlock)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(append(append([]byte{}, magic...), raw...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for i := range b.Txs {
			for j := range b.Txs[i].Inputs {
				SpentScript(&b.Txs[i].Inputs[j])
			}
		}
	})
}
