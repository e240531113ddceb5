package devnet

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/epochs"
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
		s.hear(&target{Validator: Validator{answer: &api.Status{Registry: c.registry}}})
		s.count(g, true)
		if !strings.Contains(s.Supply.Reason, c.reason) || s.Supply.OK != (c.reason == "") {
			t.Errorf("%s: %+v", c.name, s.Supply)
		}
	}
}

func TestAValidatorThatReadsItsDiskDoesNotCount(t *testing.T) {
	answer := func(state string, height, value uint64) *target {
		return &target{Validator: Validator{shards: map[chain.ShardID]*api.Status{0: {Phase: state, Height: height, Supply: api.Supply{Value: value}}}}}
	}
	var sh Shard
	sh.hear(answer(api.PhaseReplaying, 7, 0))
	sh.hear(answer(api.PhaseSyncing, 5, 1000))
	sh.hear(answer(api.PhaseReady, 7, 1000))
	sh.hear(answer(api.PhaseReady, 6, 999))
	sh.hear(&target{Validator: Validator{State: StateDead}})
	if sh.Height != 7 || sh.supply == nil || sh.supply.Value != 1000 {
		t.Errorf("height %d, supply %+v", sh.Height, sh.supply)
	}
}

// answers are the targets of a network of two shards with four validators each, all
// of which answer.
func answers(t *testing.T) (*Network, []*target) {
	t.Helper()
	n, err := Create(filepath.Join(t.TempDir(), "net"), Options{Name: "net", Shards: 2, Validators: 8, Policy: Policy(time.Minute), LogLevel: "info"})
	if err != nil {
		t.Fatal(err)
	}
	if n.book, err = epochs.NewBook(n.Genesis, cosi.BLS{}); err != nil {
		t.Fatal(err)
	}
	all := n.targets()
	for s, members := range n.Members() {
		for _, id := range members {
			v := all[id]
			v.answer = &api.Status{
				Shard: chain.ShardID(s), Epoch: 1, Height: 5, Phase: api.PhaseReady, Coming: &api.Coming{Epoch: 1, Phase: "running"},
				Memberships: []api.Membership{{Shard: chain.ShardID(s), Epoch: 1}},
			}
			v.State, v.shards = v.answer.Phase, map[chain.ShardID]*api.Status{v.answer.Shard: v.answer}
		}
	}
	return n, all
}

func names(sh *Shard, seat bool) (list []string) {
	for _, v := range sh.Validators {
		if v.Seat == seat {
			list = append(list, v.Name)
		}
	}
	return list
}

func TestAValidatorOfTwoShardsIsListedInBoth(t *testing.T) {
	n, all := answers(t)
	comes := all[n.Members()[0][0]]
	comes.shards[1] = &api.Status{Shard: 1, Epoch: 1, Height: 3, Phase: api.PhaseFollowing, Reason: "it comes"}
	dead := all[n.Members()[1][2]]
	dead.State, dead.answer, dead.shards = StateDead, nil, nil
	s := n.arrange(all)
	for i := range s.Shards {
		if sh := &s.Shards[i]; len(names(sh, true)) != 4 || sh.Members != 4 || sh.Quorum != 3 || sh.Height != 5 {
			t.Errorf("%+v", sh)
		}
	}
	if got := names(&s.Shards[1], false); len(got) != 1 || got[0] != comes.Name {
		t.Error("without a seat:", got)
	}
	for _, v := range s.Shards[1].Validators {
		if v.ID == comes.ID && (v.State != api.PhaseFollowing || v.Height != 3 || v.Reason != "it comes") || v.ID == dead.ID && v.State != StateDead {
			t.Errorf("%+v", v)
		}
	}
	if line := s.Line(); !strings.Contains(line, "4 of 4 ready") || !strings.Contains(line, "3 of 4 ready, "+dead.Name+" dead") {
		t.Error(line)
	}
}

func TestTheEpochIsShownAsWhoIsFurthestSeesIt(t *testing.T) {
	n, all := answers(t)
	shown := func() *Epoch { return n.arrange(all).Epoch }
	if e := shown(); e.Phase != "running" || e.Coming.Epoch != 1 || e.Course != "first" {
		t.Errorf("%+v", e)
	}
	for _, id := range n.Members()[0] {
		all[id].shards[0].Memberships[0].Batches = 2
	}
	if e := shown(); e.Phase != PhaseTransition {
		t.Errorf("%+v", e)
	}
	all[3].answer.Coming = &api.Coming{Epoch: 1, Phase: "dealing", View: 1, Leader: "v5", Reason: "the leader gathers dealings"}
	all[5].answer.Coming = &api.Coming{
		Epoch: 1, Phase: "dealing", View: 1, Leader: "v5", Reason: "we lead", Awaited: []string{"v2"},
		Table: []api.Part{{Name: "v1", State: "dealt"}, {Name: "v2", State: "absent"}, {Name: "v3", State: "dealt"}},
	}
	all[6].answer.Coming = &api.Coming{Epoch: 1, Phase: "dealing", Reason: "behind", Table: []api.Part{{Name: "v7", State: "late"}}}
	e := shown()
	var text strings.Builder
	e.Write(&text)
	for _, want := range []string{"epoch 1 (first)   dealing, view 1, round 0, led by v5; we lead", "awaited    v2", "of 3: 1 absent, 2 dealt", "v2, group 0: absent"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in:\n%s", want, text.String())
		}
	}
	for _, v := range all {
		v.answer, v.shards = nil, nil
	}
	if e := shown(); e.Phase != PhaseUnknown || e.Coming.Epoch != 1 {
		t.Errorf("%+v", e)
	}
}
