package identity

import (
	"fmt"
	"strconv"

	"ios/chain"
	"ios/chain/cosi"
	"ios/drp/pvss"
	"ios/eds/safety"
)

// CheckGenesis checks every rule of a genesis: those of [chain.Genesis.Check],
// the PVSS keys, and that the policy's sizes meet its bound. Test networks may
// miss the bound; [Risk] says what they risk.
func CheckGenesis(g *chain.Genesis, scheme cosi.Scheme) error {
	if err := g.Check(scheme); err != nil {
		return err
	}
	for i := range g.Validators {
		if err := checkPVSS(&g.Validators[i]); err != nil {
			return chain.Rule(chain.ErrGenesis, "validator %d (%s): %v", i, g.Validators[i].Name, err)
		}
	}
	if size := choiceSize(len(g.Validators), g.Policy.GroupSize); size > maxChoice {
		return chain.Rule(chain.ErrGenesis, "policy: with %d validators and group_size %d the dealings that the beacon chooses have %d bytes, a block's body holds %d; a smaller group_size is wanted",
			len(g.Validators), g.Policy.GroupSize, size, maxChoice)
	}
	if g.TestNetwork {
		return nil
	}
	if g.Policy.EpochLength > 0 && g.Policy.MinStake == 0 {
		return chain.Rule(chain.ErrGenesis, "policy: min_stake of at least 1 is wanted where epochs end: without stake anybody can fill the registry")
	}
	if _, err := safety.Assess(SafetyPlan(&g.Policy, len(g.Validators), g.Shards)); err != nil {
		return chain.Rule(chain.ErrGenesis, "policy: %v; a test network may do without", err)
	}
	return nil
}

// Risk is how safe the sizes of a genesis are. The error is of kind
// [safety.ErrUnsafe] if they miss the policy's bound.
func Risk(g *chain.Genesis) (safety.Report, error) {
	return safety.Assess(SafetyPlan(&g.Policy, len(g.Validators), g.Shards))
}

func checkPVSS(v *chain.Validator) error {
	if err := pvss.VerifyPossession(pvss.PublicKey(v.PVSS), v.ProofContext(), v.PVSSProof); err != nil {
		return fmt.Errorf("pvss key: %w", err)
	}
	return nil
}

const permille = 1000

// SafetyPlan is what a policy wants of so many validators, for [safety.Assess].
func SafetyPlan(p *chain.Policy, validators, shards int) safety.Plan {
	// Read from text the power of ten is exactly rounded on every machine.
	bound, _ := strconv.ParseFloat("1e-"+strconv.Itoa(p.Bound), 64)
	size := (validators + shards - 1) / shards
	return safety.Plan{
		Validators: validators, Shards: shards,
		ByzantineShare: float64(p.Byzantine) / permille,
		Leavers:        (size*p.SwapPermille + permille - 1) / permille,
		GroupSize:      min(p.GroupSize, validators), Bound: bound,
	}
}

// batchSize is the most seats of a shard that change at once, for the smallest
// shard, after the calculator.
func batchSize(p *chain.Policy, validators, shards int) int {
	plan := SafetyPlan(p, validators, shards)
	size := validators / shards
	byzantine := safety.Byzantine(validators, plan.ByzantineShare)
	likely := safety.Likely(validators, byzantine, size, plan.Bound/float64(shards))
	return safety.BatchSize(size, cosi.Faults(size), likely)
}

// maxChoice is what the dealings of a seed may measure: the body that carries
// them has a head and a signature, too.
const maxChoice = chain.MaxBodyBytes - 1<<10

// choiceSize is the length of the beacon's choice among n validators.
func choiceSize(n, groupSize int) int {
	const head = 8 + 4                 // view and count
	const dealing = 8 + 2 + 2 + 2 + 64 // beside the shares
	size := head
	for _, c := range safety.Groups(n, groupSize) {
		size += pvss.Threshold(c) * (dealing + pvss.DealingSize(c))
	}
	return size
}
