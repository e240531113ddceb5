package chain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// MaxGenesisBytes bounds a genesis file: room for MaxValidators of them and as
// many allocations again.
const MaxGenesisBytes = 16 << 20

// The text form of a genesis. Keys are hexadecimal, addresses bech32m, amounts
// integers, or strings above what TOML's integers hold.
type genesisText struct {
	Name        string           `toml:"name"`
	TestNetwork bool             `toml:"test_network"`
	Shards      int              `toml:"shards"`
	Seed        hexBytes         `toml:"seed"`
	Policy      policyText       `toml:"policy"`
	Validators  []validatorText  `toml:"validator"`
	Allocations []allocationText `toml:"allocation"`
}

type policyText struct {
	BlockInterval durationText `toml:"block_interval"`
	BlockGap      durationText `toml:"block_gap"`
	Delta         durationText `toml:"delta"`
	BodyQuota     int          `toml:"body_quota"`
	MinFee        amountText   `toml:"min_fee"`
	EpochLength   durationText `toml:"epoch_length"`
	GroupSize     int          `toml:"group_size"`
	SwapPermille  int          `toml:"swap_permille"`
	Byzantine     int          `toml:"byzantine_permille"`
	Bound         int          `toml:"bound"`
	MinStake      amountText   `toml:"min_stake"`
	UnbondEpochs  int          `toml:"unbond_epochs"`
	AbsentEpochs  int          `toml:"absent_epochs"`
	Churn         int          `toml:"churn_permille"`
	BatchDeadline durationText `toml:"batch_deadline"`
}

func (p *Policy) text() policyText {
	return policyText{
		BlockInterval: durationText(p.BlockInterval), BlockGap: durationText(p.BlockGap), Delta: durationText(p.Delta),
		BodyQuota: p.BodyQuota, MinFee: amountText(p.MinFee),
		EpochLength: durationText(p.EpochLength), GroupSize: p.GroupSize, SwapPermille: p.SwapPermille,
		Byzantine: p.Byzantine, Bound: p.Bound, MinStake: amountText(p.MinStake),
		UnbondEpochs: p.UnbondEpochs, AbsentEpochs: p.AbsentEpochs, Churn: p.Churn, BatchDeadline: durationText(p.BatchDeadline),
	}
}

func (p *policyText) policy() Policy {
	return Policy{
		BlockInterval: time.Duration(p.BlockInterval), BlockGap: time.Duration(p.BlockGap), Delta: time.Duration(p.Delta),
		BodyQuota: p.BodyQuota, MinFee: uint64(p.MinFee),
		EpochLength: time.Duration(p.EpochLength), GroupSize: p.GroupSize, SwapPermille: p.SwapPermille,
		Byzantine: p.Byzantine, Bound: p.Bound, MinStake: uint64(p.MinStake),
		UnbondEpochs: p.UnbondEpochs, AbsentEpochs: p.AbsentEpochs, Churn: p.Churn, BatchDeadline: time.Duration(p.BatchDeadline),
	}
}

type validatorText struct {
	Name       string     `toml:"name"`
	Address    string     `toml:"address"`
	API        string     `toml:"api"`
	Stake      amountText `toml:"stake"`
	Identity   hexBytes   `toml:"identity"`
	Signing    hexBytes   `toml:"signing"`
	Cosi       hexBytes   `toml:"cosi"`
	Possession hexBytes   `toml:"possession"`
	VRF        hexBytes   `toml:"vrf"`
	VRFProof   hexBytes   `toml:"vrf_possession"`
	PVSS       hexBytes   `toml:"pvss"`
	PVSSProof  hexBytes   `toml:"pvss_possession"`
}

type allocationText struct {
	Owner  string     `toml:"owner"`
	Amount amountText `toml:"amount"`
}

// ParseGenesis reads a genesis file. It refuses unknown keys and values that do
// not fit their fields; [Genesis.Check] checks the rules.
func ParseGenesis(text []byte) (*Genesis, error) {
	var doc genesisText
	if err := decodeText(text, &doc); err != nil {
		return nil, Rule(ErrGenesis, "%v", err)
	}
	g, err := doc.genesis()
	if err != nil {
		return nil, Rule(ErrGenesis, "%v", err)
	}
	return g, nil
}

// ParseValidator reads the public file of one validator, which has the fields
// of a [[validator]] table of the genesis.
func ParseValidator(text []byte) (*Validator, error) {
	var doc validatorText
	if err := decodeText(text, &doc); err != nil {
		return nil, Rule(ErrGenesis, "%v", err)
	}
	v, err := doc.validator()
	if err != nil {
		return nil, Rule(ErrGenesis, "%v", err)
	}
	return v, nil
}

// TOML is the one text form of g.
func (g *Genesis) TOML() ([]byte, error) {
	doc := genesisText{
		Name: g.Name, TestNetwork: g.TestNetwork, Shards: g.Shards, Seed: g.Seed[:],
		Policy:      g.Policy.text(),
		Validators:  make([]validatorText, len(g.Validators)),
		Allocations: make([]allocationText, len(g.Allocations)),
	}
	for i := range g.Validators {
		doc.Validators[i] = g.Validators[i].text()
	}
	for i := range g.Allocations {
		a := &g.Allocations[i]
		if len(a.Data) > 0 {
			return nil, Rule(ErrGenesis, "allocation %d carries data, which a genesis file has no place for", i)
		}
		doc.Allocations[i] = allocationText{a.Owner.Text(g.Prefix()), amountText(a.Amount)}
	}
	return encodeText(&doc)
}

// TOML is the validator's public file.
func (v *Validator) TOML() ([]byte, error) {
	doc := v.text()
	return encodeText(&doc)
}

func (v *Validator) text() validatorText {
	return validatorText{
		Name: v.Name, Address: v.Address, API: v.API, Stake: amountText(v.Stake),
		Identity: v.Identity[:], Signing: v.Signing[:], Cosi: v.Cosi[:], Possession: v.Possession[:],
		VRF: v.VRF[:], VRFProof: v.VRFProof[:], PVSS: v.PVSS[:], PVSSProof: v.PVSSProof[:],
	}
}

func (doc *genesisText) genesis() (*Genesis, error) {
	g := &Genesis{Name: doc.Name, TestNetwork: doc.TestNetwork, Shards: doc.Shards, Policy: doc.Policy.policy()}
	if err := fill("seed", g.Seed[:], doc.Seed); err != nil {
		return nil, err
	}
	for i := range doc.Validators {
		v, err := doc.Validators[i].validator()
		if err != nil {
			return nil, fmt.Errorf("validator %d (%s): %w", i, doc.Validators[i].Name, err)
		}
		g.Validators = append(g.Validators, *v)
	}
	for i := range doc.Allocations {
		owner, err := ParseAddress(g.Prefix(), doc.Allocations[i].Owner)
		if err != nil {
			return nil, fmt.Errorf("allocation %d: owner: %w", i, err)
		}
		g.Allocations = append(g.Allocations, Output{Owner: owner, Amount: uint64(doc.Allocations[i].Amount)})
	}
	return g, nil
}

func (doc *validatorText) validator() (*Validator, error) {
	v := &Validator{Name: doc.Name, Address: doc.Address, API: doc.API, Stake: uint64(doc.Stake)}
	for _, f := range []struct {
		name string
		to   []byte
		from hexBytes
	}{
		{"identity", v.Identity[:], doc.Identity},
		{"signing", v.Signing[:], doc.Signing},
		{"cosi", v.Cosi[:], doc.Cosi},
		{"possession", v.Possession[:], doc.Possession},
		{"vrf", v.VRF[:], doc.VRF},
		{"vrf_possession", v.VRFProof[:], doc.VRFProof},
		{"pvss", v.PVSS[:], doc.PVSS},
		{"pvss_possession", v.PVSSProof[:], doc.PVSSProof},
	} {
		if err := fill(f.name, f.to, f.from); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func fill(name string, to, from []byte) error {
	if len(from) != len(to) {
		return fmt.Errorf("%s: %d hexadecimal digits are wanted, it has %d", name, 2*len(to), 2*len(from))
	}
	copy(to, from)
	return nil
}

// decodeText decodes strictly: a key that is not a field is an error.
func decodeText(text []byte, into any) error {
	switch {
	case len(text) > MaxGenesisBytes:
		return fmt.Errorf("the file has %d bytes, at most %d are allowed", len(text), MaxGenesisBytes)
	case !utf8.Valid(text):
		return errors.New("the file is not UTF-8 text; is it a TOML file?")
	}
	meta, err := toml.Decode(string(text), into)
	if err != nil {
		return err
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return fmt.Errorf("%q is not a known key; take it out or correct its spelling", extra[0].String())
	}
	return nil
}

func encodeText(doc any) ([]byte, error) {
	var buf bytes.Buffer
	e := toml.NewEncoder(&buf)
	e.Indent = ""
	if err := e.Encode(doc); err != nil {
		return nil, Rule(ErrGenesis, "writing it as TOML: %v", err)
	}
	if !utf8.Valid(buf.Bytes()) {
		return nil, Rule(ErrGenesis, "a name or address is not UTF-8 text")
	}
	return buf.Bytes(), nil
}

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalTOML(value any) error {
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf("hexadecimal digits in quotes are wanted, not %v", value)
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return fmt.Errorf("hexadecimal digits are wanted: %w", err)
	}
	*h = b
	return nil
}

type durationText time.Duration

func (d durationText) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *durationText) UnmarshalTOML(value any) error {
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf(`a duration in quotes such as "500ms" is wanted, not %v`, value)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf(`a duration such as "500ms" is wanted: %w`, err)
	}
	*d = durationText(v)
	return nil
}

type amountText uint64

func (a amountText) MarshalTOML() ([]byte, error) {
	s := strconv.FormatUint(uint64(a), 10)
	if a > math.MaxInt64 {
		s = strconv.Quote(s)
	}
	return []byte(s), nil
}

func (a *amountText) UnmarshalTOML(value any) error {
	switch v := value.(type) {
	case int64:
		if v < 0 {
			return fmt.Errorf("an amount is not negative, this is %d", v)
		}
		*a = amountText(v)
	case string:
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not an amount: a whole number of base units up to %d is wanted", v, uint64(math.MaxUint64))
		}
		*a = amountText(n)
	default:
		return fmt.Errorf("a whole number of base units is wanted, not %v", value)
	}
	return nil
}
