package byzcoin

import (
	"testing"

	"ios/chain"

	"pgregory.net/rapid"
)

// The first leader of a term is the same for all who have its last block, and
// authored a body of it if anybody with a seat did.
func TestTheFirstLeaderOfATerm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Uint16Range(0, 20)
		b := &chain.Committee{}
		for _, m := range rapid.SliceOfNDistinct(id, 1, 10, rapid.ID).Draw(t, "members") {
			b.Members = append(b.Members, chain.ValidatorID(m))
		}
		last := &chain.Block{}
		last.Header.Height = rapid.Uint64().Draw(t, "height")
		last.Header.Epoch = rapid.Uint64().Draw(t, "epoch")
		authors := map[chain.ValidatorID]bool{}
		alive := false
		for _, m := range rapid.SliceOfN(id, 0, 8).Draw(t, "authors") {
			last.Refs = append(last.Refs, chain.BodyRef{Author: chain.ValidatorID(m)})
			authors[chain.ValidatorID(m)] = true
			alive = alive || b.Seat(chain.ValidatorID(m)) >= 0
		}
		lead := leadOf(last, b)
		if lead < 0 || lead >= len(b.Members) {
			t.Fatalf("seat %d of %d", lead, len(b.Members))
		}
		if alive && !authors[b.Members[lead]] {
			t.Error("somebody leads who may be dead")
		}
		again := *last // certified in another view, too
		again.Cert.View = 7
		if leadOf(&again, b) != lead {
			t.Error("who leads depends on the certificate that one has")
		}
	})
}
