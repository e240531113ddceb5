package chain

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawGenesis makes a genesis that the text form can hold, not one that Check
// would pass: its keys are no keys.
func drawGenesis(t *rapid.T) *Genesis {
	bytes := func(to []byte) { copy(to, rapid.SliceOfN(rapid.Byte(), len(to), len(to)).Draw(t, "bytes")) }
	duration := func() time.Duration { return time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "ns")) }
	g := &Genesis{
		Name:        rapid.StringN(0, 20, 64).Draw(t, "name"),
		TestNetwork: rapid.Bool().Draw(t, "test"),
		Shards:      rapid.IntRange(0, 8).Draw(t, "shards"),
		Policy: Policy{
			BlockInterval: duration(), BlockGap: duration(), Delta: duration(),
			BodyQuota: rapid.IntRange(0, 64).Draw(t, "quota"), MinFee: rapid.Uint64().Draw(t, "fee"),
			EpochLength: duration(), GroupSize: rapid.IntRange(0, 64).Draw(t, "group"), SwapPermille: rapid.IntRange(0, 1000).Draw(t, "swap"),
			Byzantine: rapid.IntRange(0, 333).Draw(t, "byzantine"), Bound: rapid.IntRange(0, 18).Draw(t, "bound"),
			MinStake: rapid.Uint64().Draw(t, "stake"), UnbondEpochs: rapid.IntRange(0, 9).Draw(t, "unbond"),
			AbsentEpochs: rapid.IntRange(0, 9).Draw(t, "absent"), Churn: rapid.IntRange(0, 1000).Draw(t, "churn"), BatchDeadline: duration(),
		},
	}
	bytes(g.Seed[:])
	for range rapid.IntRange(0, 3).Draw(t, "validators") {
		v := Validator{Name: rapid.String().Draw(t, "name"), Address: rapid.String().Draw(t, "address"), API: rapid.String().Draw(t, "api")}
		bytes(v.Identity[:])
		bytes(v.Signing[:])
		bytes(v.Cosi[:])
		bytes(v.Possession[:])
		bytes(v.VRF[:])
		bytes(v.VRFProof[:])
		bytes(v.PVSS[:])
		bytes(v.PVSSProof[:])
		v.Stake = rapid.Uint64().Draw(t, "stake")
		g.Validators = append(g.Validators, v)
	}
	for range rapid.IntRange(0, 3).Draw(t, "allocations") {
		var o Output
		bytes(o.Owner[:])
		o.Amount = rapid.OneOf(rapid.Uint64(), rapid.Just[uint64](math.MaxUint64), rapid.Just[uint64](math.MaxInt64), rapid.Just[uint64](1<<63)).Draw(t, "amount")
		g.Allocations = append(g.Allocations, o)
	}
	return g
}

func TestGenesisTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGenesis(t)
		text, err := g.TOML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseGenesis(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(g, back) {
			t.Fatalf("wrote %+v\nread %+v\n%s", g, back, text)
		}
		if g.ID() != back.ID() {
			t.Fatal("the chain id changed")
		}
	})
}

const smallGenesis = `
name = "small"
test_network = true
shards = 1
seed = "0000000000000000000000000000000000000000000000000000000000000000"

[policy]
block_interval = "500ms"
block_gap = "20ms"
delta = "250ms"
body_quota = 8
min_fee = 0

[[allocation]]
owner = "OWNER"
amount = 5
`

func TestGenesisTextRefusals(t *testing.T) {
	owner := Address{1}.Text(PrefixTest)
	good := strings.Replace(smallGenesis, "OWNER", owner, 1)
	if _, err := ParseGenesis([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, wants string }{
		{"unknown key", "shards = 1", "shards = 1\nshard = 2", `"shard"`},
		{"unknown nested key", "body_quota = 8", "body_quota = 8\nbody_qota = 9", "policy.body_qota"},
		{"repeated key", "shards = 1", "shards = 1\nshards = 2", "shards"},
		{"short seed", `seed = "00`, `seed = "`, "64 hexadecimal digits"},
		{"seed that is no hex", `seed = "00`, `seed = "zz`, "hexadecimal"},
		{"duration without unit", `"500ms"`, `"500"`, "duration"},
		{"duration as number", `"500ms"`, `500`, "duration"},
		{"address of another network", owner, Address{1}.Text(PrefixMain), "network"},
		{"address with a typo", owner, owner[:len(owner)-1] + "b", "allocation 0: owner"},
		{"negative amount", "amount = 5", "amount = -5", "not negative"},
		{"fractional amount", "amount = 5", "amount = 5.5", "whole number"},
		{"amount above 64 bits", "amount = 5", `amount = "18446744073709551616"`, "not an amount"},
		{"integer above TOML's", "amount = 5", "amount = 9223372036854775808", "9223372036854775808"},
		{"wrong type", "shards = 1", `shards = "1"`, "shards"},
		{"not text", "small", "sm\xffall", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("the case changes nothing")
			}
			_, err := ParseGenesis([]byte(text))
			if !errors.Is(err, ErrGenesis) || !strings.Contains(err.Error(), c.wants) {
				t.Fatalf("error %v does not say %q", err, c.wants)
			}
		})
	}
}

func TestGenesisTextIsBounded(t *testing.T) {
	if _, err := ParseGenesis(make([]byte, MaxGenesisBytes+1)); !errors.Is(err, ErrGenesis) {
		t.Fatalf("a file above the limit: %v", err)
	}
}

func TestValidatorTextRoundTrip(t *testing.T) {
	v := &Validator{Name: "v0", Address: "127.0.0.1:7000", API: "http://127.0.0.1:7001", Identity: [32]byte{1}, Signing: [32]byte{2}}
	v.Cosi[0], v.Possession[0] = 3, 4
	v.VRF[0], v.VRFProof[0], v.PVSS[0], v.PVSSProof[0], v.Stake = 5, 6, 7, 8, 9
	text, err := v.TOML()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseValidator(text)
	if err != nil || !reflect.DeepEqual(v, back) {
		t.Fatalf("%v: wrote %+v, read %+v", err, v, back)
	}
	if _, err := ParseValidator(append(text, "secret = 1\n"...)); err == nil {
		t.Fatal("an unknown key passed")
	}
}

func FuzzParseGenesis(f *testing.F) {
	f.Add([]byte(strings.Replace(smallGenesis, "OWNER", Address{1}.Text(PrefixTest), 1)))
	f.Add([]byte(`[[validator]]` + "\nname = 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := ParseGenesis(text)
		if err != nil {
			return
		}
		once, err := g.TOML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseGenesis(once)
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice, _ := back.TOML(); string(twice) != string(once) || back.ID() != g.ID() {
			t.Fatalf("not one text form:\n%s\n%s", once, twice)
		}
	})
}
