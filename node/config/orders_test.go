package config

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/transepoch/identity"
)

// registry is the identity chain of four validators, and a fifth that has made its
// keys.
func registry(t *testing.T) (*identity.State, *chain.Genesis, []*Keys, *chain.Validator) {
	t.Helper()
	g := &chain.Genesis{Name: "orders", TestNetwork: true, Shards: 1, Policy: chain.DefaultPolicy(), Allocations: []chain.Output{{Amount: 1}}}
	g.Policy.EpochLength = time.Minute
	var keys []*Keys
	var last *chain.Validator
	for i := range 5 {
		k, err := NewKeys()
		if err != nil {
			t.Fatal(err)
		}
		name := string(rune('a' + i))
		v, err := k.Validator(name, name+":7600", "")
		if err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			g.Validators = append(g.Validators, *v)
		}
		keys, last = append(keys, k), v
	}
	s, err := identity.NewState(g, cosi.BLS{})
	if err != nil {
		t.Fatal(err)
	}
	return s, g, keys, last
}

// apply has the chain check and execute an op.
func apply(t *testing.T, s *identity.State, g *chain.Genesis, op identity.Op) identity.Reason {
	t.Helper()
	b := &chain.Body{Chain: g.ID(), Shard: chain.IdentityShard, Epoch: 1, Payload: (&identity.Payload{Ops: []identity.Op{op}}).AppendTo(nil)}
	if _, err := s.Checker().Check(b); err != nil {
		t.Fatal(err)
	}
	h := chain.Header{Chain: g.ID(), Shard: chain.IdentityShard, Epoch: 1, Height: s.Height() + 1}
	h.Outcomes = s.Execute(&h, []*chain.Body{b})
	s.Finalize(&chain.Block{Header: h})
	return s.Report().Ops[0].Reason
}

func TestTheRegistryTakesWhatTheKeysSign(t *testing.T) {
	s, g, keys, v := registry(t)
	join, err := keys[4].Join(g.ID(), v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if why := apply(t, s, g, join); why != identity.Done {
		t.Fatalf("the join: %s", why)
	}
	if st, ok := s.Validator(4); !ok || st.Validator.Name != "e" || !st.Waiting {
		t.Errorf("%+v", st)
	}
	if why := apply(t, s, g, join); why != identity.ReasonClash {
		t.Errorf("the join once more: %q", why)
	}
	if why := apply(t, s, g, keys[4].Leave(g.ID(), 4, 0, identity.Payee{})); why != identity.Done {
		t.Errorf("the leave: %s", why)
	}
	if why := apply(t, s, g, keys[0].Resume(g.ID(), 0, 0)); why != identity.ReasonAgain {
		t.Errorf("a member comes back: %q", why)
	}
}

func TestAStakeNeedsAPayer(t *testing.T) {
	s, g, keys, v := registry(t)
	payer, err := sig.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys[4].Join(g.ID(), v, payer); err == nil {
		t.Error("a payer of nothing")
	}
	v.Stake = 5
	if _, err := keys[4].Join(g.ID(), v, nil); err == nil || !strings.Contains(err.Error(), "credit") {
		t.Errorf("nobody pays: %v", err)
	}
	join, err := keys[4].Join(g.ID(), v, payer)
	if err != nil {
		t.Fatal(err)
	}
	if why := apply(t, s, g, join); why != identity.ReasonCredit {
		t.Errorf("who pays has nothing: %q", why)
	}
}

func TestKeysOfAnotherAreNamed(t *testing.T) {
	_, g, keys, v := registry(t)
	if err := keys[4].Owns(v); err != nil {
		t.Error(err)
	}
	mixed := *keys[4]
	mixed.PVSS = keys[0].PVSS
	if _, err := mixed.Join(g.ID(), v, nil); err == nil || !strings.Contains(err.Error(), "pvss key") {
		t.Errorf("%v", err)
	}
	if err := keys[0].Owns(v); err == nil || !strings.Contains(err.Error(), "identity key") {
		t.Errorf("%v", err)
	}
}
