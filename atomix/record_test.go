package atomix

import (
	"bytes"
	"fmt"
	"testing"

	"ios/chain"
)

// A record keeps nothing of the body that its transaction came in, however large
// the transaction is.
func TestARecordHasItsOwnCopy(t *testing.T) {
	p := chain.NewParams(chain.Hash{1}, chain.PrefixTest, 2, 1)
	for size := range 4 {
		tx := &chain.Tx{Expiry: 1}
		for i := range size + 1 {
			tx.Inputs = append(tx.Inputs, chain.Input{OutPoint: chain.OutPoint{Index: uint32(i)}, Amount: 2})
			tx.Outputs = append(tx.Outputs, chain.Output{Amount: 1, Data: bytes.Repeat([]byte{7}, i*20)})
			tx.Witnesses = append(tx.Witnesses, chain.Witness{})
		}
		p.Seal(tx)
		body := append([]byte(nil), tx.Raw...)
		came, err := p.DecodeTx(body)
		if err != nil {
			t.Fatal(err)
		}
		id, said := came.ID, fmt.Sprintf("%v", *came)
		got := newRecord(came).tx
		clear(body)
		clear(came.Inputs)
		clear(came.Outputs)
		came.Witnesses[0].PublicKey[0]++
		if again := fmt.Sprintf("%v", *got); got.ID != id || again != said || !bytes.Equal(got.Raw, tx.Raw) {
			t.Errorf("%d inputs and outputs: %s has become %s", size+1, said, again)
		}
	}
}
