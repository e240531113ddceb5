package devnet

import (
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

func TestTheSupplyIsCountedOverAllShards(t *testing.T) {
	const genesis = 1000
	sh := func(value uint64, between int64, open uint64) Shard {
		return Shard{supply: &api.Supply{Value: value, Between: between, Open: open}}
	}
	for _, c := range []struct {
		name        string
		shards      []Shard
		still       bool
		settled, ok bool
		reason      string
	}{
		{"at rest", []Shard{sh(600, 100, 0), sh(400, -100, 0)}, false, true, true, ""},
		{"committed on one side, open on the other", []Shard{sh(600, 100, 0), sh(500, 0, 1)}, false, true, true, ""},
		{"a shard made value", []Shard{sh(601, 100, 0), sh(400, -100, 0)}, true, true, false, "account for 1001"},
		{"a shard lost value", []Shard{sh(600, 100, 1), sh(399, -100, 1)}, false, true, false, "account for 999"},
		{"half of a commit, while blocks go on", []Shard{sh(600, 100, 0), sh(500, 0, 0)}, false, false, true, ""},
		{"half of a commit for good", []Shard{sh(600, 100, 0), sh(500, 0, 0)}, true, true, false, "between the shards"},
		{"an unknown shard", []Shard{sh(600, 0, 0), {}}, true, true, false, "no validator"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Status{Shards: c.shards}
			if settled := s.count(&chain.Genesis{Allocations: []chain.Output{{Amount: genesis}}}, c.still); settled != c.settled {
				t.Errorf("settled is %v", settled)
			}
			if s.Supply.OK != c.ok || !strings.Contains(s.Supply.Reason, c.reason) || s.Supply.OK != (s.Supply.Reason == "") {
				t.Errorf("%+v", s.Supply)
			}
		})
	}
}

// What moves between a shard and the registry counts once, wherever it is.
func TestTheSupplyHasTheRegistry(t *testing.T) {
	g := &chain.Genesis{Allocations: []chain.Output{{Amount: 1000}}, Validators: []chain.Validator{{Stake: 200}}}
	g.Policy.EpochLength = time.Minute
	for _, c := range []struct {
		name     string
		shard    api.Supply
		registry *api.Funds
		reason   string
	}{
		{"at rest", api.Supply{Value: 1000}, &api.Funds{Staked: 200}, ""},
		{"paid in", api.Supply{Value: 970, Between: -30}, &api.Funds{Staked: 200, Credit: 30, Between: 30}, ""},
		{"paid in, not heard", api.Supply{Value: 1000, Open: 1}, &api.Funds{Staked: 200, Credit: 30, Between: 30}, ""},
		{"paid out, not heard", api.Supply{Value: 1200, Between: 200}, &api.Funds{Due: 200}, ""},
		{"paid out", api.Supply{Value: 1200, Between: 200}, &api.Funds{Between: -200}, ""},
		{"paid out twice", api.Supply{Value: 1400, Between: 400}, &api.Funds{Between: -200}, "between the shards"},
		{"credited twice", api.Supply{Value: 970, Between: -30}, &api.Funds{Staked: 200, Credit: 60, Between: 60}, "between the shards"},
		{"made by a shard", api.Supply{Value: 1001}, &api.Funds{Staked: 200}, "account for 1201"},
		{"made by the registry", api.Supply{Value: 1000}, &api.Funds{Staked: 200, Credit: 1}, "account for 1201"},
		{"an unknown registry", api.Supply{Value: 1000}, nil, "no validator"},
	} {
		s := &Status{Shards: []Shard{{supply: &c.shard}}}
		s.hear(&Validator{answer: &api.Status{Registry: c.registry}})
		s.count(g, true)
		if !strings.Contains(s.Supply.Reason, c.reason) || s.Supply.OK != (c.reason == "") {
			t.Errorf("%s: %+v", c.name, s.Supply)
		}
	}
}

func TestAValidatorThatReadsItsDiskDoesNotCount(t *testing.T) {
	answer := func(state string, height, value uint64) *Validator {
		return &Validator{State: state, Height: height, answer: &api.Status{Supply: api.Supply{Value: value}}}
	}
	var sh Shard
	sh.hear(answer(api.PhaseReplaying, 7, 0))
	sh.hear(answer(api.PhaseSyncing, 5, 1000))
	sh.hear(answer(api.PhaseReady, 7, 1000))
	sh.hear(answer(api.PhaseReady, 6, 999))
	sh.hear(&Validator{State: StateDead})
	if sh.Height != 7 || sh.supply == nil || sh.supply.Value != 1000 {
		t.Errorf("height %d, supply %+v", sh.Height, sh.supply)
	}
}
