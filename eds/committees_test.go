package eds

import (
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
)

// Every validator of a genesis has the seat that Assign gives it, with its own
// keys, in one committee; one key that is none is named with its shard.
func TestCommitteesOfAGenesisHaveTheirMembersKeys(t *testing.T) {
	scheme := cositest.New("genesis")
	g := &chain.Genesis{Shards: 2, Seed: chain.Hash{3}, Validators: make([]chain.Validator, 9)}
	for i := range g.Validators {
		v := &g.Validators[i]
		var err error
		if v.Cosi, err = scheme.Public(cositest.Secret(i)); err != nil {
			t.Fatal(err)
		}
		v.Signing = sig.PublicKey{byte(i)}
	}
	list, err := Committees(g, scheme)
	if err != nil {
		t.Fatal(err)
	}
	for s, members := range Assign(g.Seed, len(g.Validators), g.Shards) {
		c := list[s]
		if int(c.Shard) != s || c.Term != FirstTerm || c.Cosi.Size() != len(members) {
			t.Fatalf("shard %d: %+v", s, c)
		}
		for seat, id := range members {
			if c.Seat(id) != seat || c.Signing[seat] != g.Validators[id].Signing {
				t.Errorf("shard %d: validator %d has seat %d with key %x", s, id, c.Seat(id), c.Signing[seat])
			}
			msg := []byte("vote")
			share, err := scheme.Sign(cositest.Secret(int(id)), msg)
			if err == nil {
				err = cosi.NewCollector(c.Cosi, msg).AddShare(seat, share)
			}
			if err != nil {
				t.Errorf("shard %d, seat %d: %v", s, seat, err)
			}
		}
	}
	g.Validators[4].Cosi = cosi.PublicKey{}
	if _, err := Committees(g, cosi.BLS{}); err == nil {
		t.Error("a committee with keys that are none")
	}
}
