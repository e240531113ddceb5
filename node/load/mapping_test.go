package load

import (
	"os"
	"path/filepath"
	"testing"

	"ios/chain"
	"ios/node/load/bitcoin"
)

var testParams = chain.NewParams(chain.Hash{1}, chain.PrefixTest, 4, 0)

func bitcoinData(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../../shared/data/bitcoin/*")
	if err != nil || len(files) == 0 {
		t.Skip("the test data ../shared/data/bitcoin is absent")
	}
	return files
}

// coinsOf makes coins out of nothing for the outputs from outside.
func coinsOf(m *mapping) []chain.Input {
	coins := make([]chain.Input, len(m.outside))
	for i, o := range m.outside {
		coins[i] = chain.Input{OutPoint: chain.OutPoint{Index: uint32(i)}, Owner: o.Owner, Amount: o.Amount}
	}
	return coins
}

// Every transaction that comes out must pass all static rules and spend only
// what is there, once, and value must be kept to the unit.
func TestRealBlocksAreMappedWithoutLoss(t *testing.T) {
	for _, file := range bitcoinData(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bitcoin.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mapBlock(b, testParams)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.txs)+m.coinbases+m.tooLarge != len(b.Txs) || m.coinbases != 1 {
			t.Errorf("%s: %d of %d transactions, %d coinbases, %d too large", file, len(m.txs), len(b.Txs), m.coinbases, m.tooLarge)
		}
		coins := coinsOf(m)
		unspent := make(map[chain.OutPoint]uint64)
		var funded, fees, left uint64
		for _, c := range coins {
			unspent[c.OutPoint] = c.Amount
			funded += c.Amount
		}
		for i, tx := range m.build(testParams, 1, coins) {
			if err := testParams.CheckTx(tx, 1); err != nil {
				t.Fatalf("%s: transaction %d: %v", file, i, err)
			}
			for _, in := range tx.Inputs {
				if unspent[in.OutPoint] != in.Amount {
					t.Fatalf("%s: transaction %d spends %d, there is %d", file, i, in.Amount, unspent[in.OutPoint])
				}
				delete(unspent, in.OutPoint)
			}
			for j, out := range tx.Outputs {
				unspent[chain.OutPoint{Tx: tx.ID, Index: uint32(j)}] = out.Amount
			}
			if tx.Fee() != m.txs[i].fee {
				t.Fatalf("%s: transaction %d has a fee of %d, not %d", file, i, tx.Fee(), m.txs[i].fee)
			}
			fees += tx.Fee()
		}
		for _, a := range unspent {
			left += a
		}
		if funded != left+fees {
			t.Errorf("%s: %d were funded, %d are left and %d are fees", file, funded, left, fees)
		}
		if m.inside == 0 || len(m.owners) < 100 {
			t.Errorf("%s: %d spends within the block, %d owners", file, m.inside, len(m.owners))
		}
	}
}

func TestOddTransactionsAreMappedByTheirRules(t *testing.T) {
	a, b, c := []byte{0x51}, []byte{0x52}, []byte{0x53}
	in := func(tx byte, index uint32) bitcoin.Input {
		return bitcoin.Input{Previous: bitcoin.OutPoint{Tx: bitcoin.Hash{tx}, Index: index}}
	}
	block := &bitcoin.Block{Txs: []bitcoin.Tx{
		{ID: bitcoin.Hash{1}, Inputs: []bitcoin.Input{in(0, 1<<32-1)}, Outputs: []bitcoin.Output{{Amount: 50, Script: a}}},
		// Two inputs from outside, one output of zero in between.
		{ID: bitcoin.Hash{2}, Inputs: []bitcoin.Input{in(9, 0), in(9, 1)}, Outputs: []bitcoin.Output{{Amount: 10, Script: a}, {Script: b}, {Amount: 5, Script: c}}},
		// Spends the last output: its place here is another than there. The fee stays.
		{ID: bitcoin.Hash{3}, Inputs: []bitcoin.Input{in(2, 2)}, Outputs: []bitcoin.Output{{Amount: 3, Script: a}}},
		// Spends the output of zero, which does not exist here, and gives nothing.
		{ID: bitcoin.Hash{4}, Inputs: []bitcoin.Input{in(2, 1)}, Outputs: []bitcoin.Output{{Script: b}}},
		// Spends again what was spent, as no real block does, and what comes later.
		{ID: bitcoin.Hash{5}, Inputs: []bitcoin.Input{in(2, 2), in(6, 0)}, Outputs: []bitcoin.Output{{Amount: 1, Script: a}}},
	}}
	m, err := mapBlock(block, testParams)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.txs) != 4 || m.coinbases != 1 || m.zeros != 2 || m.inside != 1 {
		t.Fatalf("%+v", m)
	}
	if got := []uint64{m.outside[0].Amount, m.outside[1].Amount}; got[0] != 8 || got[1] != 7 {
		t.Errorf("15 are shared as %v", got)
	}
	if tx := m.txs[1]; tx.inputs[0].parent != 0 || tx.inputs[0].index != 1 || tx.fee != 2 {
		t.Errorf("the spend within the block: %+v", tx)
	}
	if tx := m.txs[2]; len(tx.outputs) != 1 || tx.outputs[0].Amount != 1 || tx.inputs[0].parent != -1 {
		t.Errorf("nothing but zeros: %+v", tx)
	}
	if tx := m.txs[3]; tx.inputs[0].parent != -1 || tx.inputs[1].parent != -1 || tx.fee != 1 {
		t.Errorf("a second spend and one of a later output: %+v", tx)
	}
	for _, tx := range m.build(testParams, 1, coinsOf(m)) {
		if err := testParams.CheckTx(tx, 1); err != nil {
			t.Error(err)
		}
	}
	const most = 21_000_000_0000_0000
	var huge []bitcoin.Output
	for range 1 << 14 {
		huge = append(huge, bitcoin.Output{Amount: most, Script: a})
	}
	if _, err := mapBlock(&bitcoin.Block{Txs: []bitcoin.Tx{{ID: bitcoin.Hash{2}, Inputs: []bitcoin.Input{in(9, 0)}, Outputs: huge}}}, testParams); err == nil {
		t.Error("sums above 64 bits passed")
	}
}
