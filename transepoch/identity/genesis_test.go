package identity

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/eds/safety"
)

// bigGenesis is one with validators that nobody has the keys of: enough for what
// depends on numbers only.
func bigGenesis(shards, validators int) *chain.Genesis {
	g, _ := testGenesis(scheme, shards, validators, 10)
	g.TestNetwork = false
	return g
}

func TestGenesisMeetsItsBound(t *testing.T) {
	refused := func(g *chain.Genesis, says string) {
		t.Helper()
		if err := CheckGenesis(g, scheme); !errors.Is(err, chain.ErrGenesis) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %q is wanted", err, says)
		}
	}
	g := bigGenesis(1, 16)
	if err := CheckGenesis(g, scheme); err != nil {
		t.Fatal(err)
	}
	g.Policy.Byzantine = 333 // 5 of 16, which tolerate 5
	if err := CheckGenesis(g, scheme); err != nil {
		t.Fatal(err)
	}
	g = bigGenesis(4, 40)
	refused(g, "can form at most 1 shards")
	refused(g, "4 shards want")
	g.TestNetwork = true
	if err := CheckGenesis(g, scheme); err != nil {
		t.Errorf("a test network: %v", err)
	}
	if _, err := Risk(g); !errors.Is(err, safety.ErrUnsafe) {
		t.Errorf("it risks nothing: %v", err)
	}
	g.Policy.Bound = 0
	refused(g, "bound")
	g = bigGenesis(1, 64)
	g.Policy.GroupSize = 8
	refused(g, "smallest group size that meets it")
	g.Policy.GroupSize = 0
	if err := CheckGenesis(g, scheme); err != nil {
		t.Fatal(err)
	}
	g.Policy.MinStake = 0
	refused(g, "min_stake")
	g.Policy.EpochLength = 0
	if err := CheckGenesis(g, scheme); err != nil {
		t.Error(err)
	}
}

func TestGenesisKeysAreProven(t *testing.T) {
	g, _ := testGenesis(scheme, 1, 4, 0)
	for says, spoil := range map[string]func(v []chain.Validator){
		"pvss key": func(v []chain.Validator) { v[1].PVSSProof[0] ^= 1 },
		"neutral element": func(v []chain.Validator) {
			v[1].PVSS = [32]byte{}
			v[1].VRFProof = must(newSecrets(1, 0).vrf.ProvePossession(v[1].ProofContext()))
		},
		"vrf key": func(v []chain.Validator) { v[1].VRFProof, v[1].VRF = v[2].VRFProof, v[2].VRF },
		"have the same pvss": func(v []chain.Validator) {
			own := newSecrets(1, 0)
			own.pvss = newSecrets(2, 0).pvss
			v[1] = own.validator(scheme, 1, 0)
		},
		"have the same cosi": func(v []chain.Validator) {
			own := newSecrets(1, 0)
			own.cosi = cositest.Secret(2)
			v[1] = own.validator(scheme, 1, 0)
		},
		"have the same identity, signing or vrf": func(v []chain.Validator) {
			own := newSecrets(1, 0)
			own.signing = newSecrets(2, 0).identity
			v[1] = own.validator(scheme, 1, 0)
		},
		"a stake of 3": func(v []chain.Validator) { v[1].Stake = 3 },
	} {
		h := *g
		h.Validators = slices.Clone(g.Validators)
		if strings.Contains(says, "stake") {
			h.Policy.MinStake = 4
			h.Validators[0].Stake = 4
		}
		spoil(h.Validators)
		if err := CheckGenesis(&h, scheme); !errors.Is(err, chain.ErrGenesis) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	g.Validators[0].Stake, g.Validators[1].Stake = 1<<63, 1<<63
	if err := CheckGenesis(g, scheme); err == nil || !strings.Contains(err.Error(), "64 bits") {
		t.Errorf("stakes that overflow: %v", err)
	}
}

// What the beacon chooses fits into a body.
func TestChoiceFits(t *testing.T) {
	r := newRig(t, 1, 20, 0, func(p *chain.Policy) { p.GroupSize = 7 })
	if got, want := len(r.choose().Choice), choiceSize(20, 7); got != want {
		t.Errorf("a choice of %d bytes, %d were reckoned", got, want)
	}
	if choiceSize(512, 32) > maxChoice {
		t.Error("512 validators in groups of 32 have no room")
	}
	if choiceSize(512, 0) <= maxChoice {
		t.Error("512 validators in one group have room, and the genesis refuses them")
	}
}

// The whole with BLS, for an epoch.
func TestWithBLS(t *testing.T) {
	g, keys := testGenesis(cosi.BLS{}, 2, 8, 10)
	r := startRig(t, g, keys, cosi.BLS{})
	r.want(Done, r.rotate(1, newSecrets(1, 1)))
	if rec := r.epoch(); rec.Course != Drawn {
		t.Error(rec.Course)
	}
}
