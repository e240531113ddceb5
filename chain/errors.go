package chain

import "fmt"

// ErrorKind is the kind of a rule that a value breaks. errors.Is finds it in a
// [RuleError].
type ErrorKind string

// Error makes an ErrorKind a target for errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds. The text is the stable name that APIs show.
const (
	ErrEncoding   ErrorKind = "bad_encoding"  // not the canonical encoding of anything
	ErrTooLarge   ErrorKind = "too_large"     // a size above its limit
	ErrNoInput    ErrorKind = "no_input"      // a transaction without inputs or outputs
	ErrDuplicate  ErrorKind = "duplicate"     // an input, owner or entry that is there twice
	ErrAmount     ErrorKind = "bad_amount"    // a zero amount, an overflow, or outputs above inputs
	ErrFee        ErrorKind = "fee_too_low"   // below the policy's minimum
	ErrExpired    ErrorKind = "expired"       // the expiry epoch has passed
	ErrExpiry     ErrorKind = "bad_expiry"    // the expiry is too far ahead
	ErrWitness    ErrorKind = "bad_witness"   // not one witness per owner in order
	ErrSignature  ErrorKind = "bad_signature" // a signature that does not verify
	ErrWrongChain ErrorKind = "wrong_chain"   // made for another chain
	ErrWrongShard ErrorKind = "wrong_shard"   // not for this shard
	ErrUnknown    ErrorKind = "unknown_input" // spends an output that is not there
	ErrSpent      ErrorKind = "spent"         // spends an output that was spent before
	ErrLocked     ErrorKind = "locked"        // spends an output that another transfer holds
	ErrClaim      ErrorKind = "false_claim"   // claims another owner or amount than the output has
	ErrProof      ErrorKind = "bad_proof"     // a path, certificate or bundle that proves nothing
	ErrStake      ErrorKind = "bad_stake"     // a transaction that moves stake in a way that none does
	ErrNumber     ErrorKind = "bad_number"    // a body out of its author's order
	ErrGenesis    ErrorKind = "bad_genesis"   // a genesis file that breaks a rule
	ErrAddress    ErrorKind = "bad_address"   // a text that is no address of this network
	ErrDecided    ErrorKind = "decided"       // the shard has recorded its outcome already
	ErrFull       ErrorKind = "full"          // a bounded queue that has no room now
	ErrNotReady   ErrorKind = "not_ready"     // the validator cannot take it at this moment
)

// RuleError says which rule a value breaks, with the values in the sentence.
type RuleError struct {
	Kind ErrorKind
	Text string
}

// Error is the sentence behind the kind's name.
func (e *RuleError) Error() string { return string(e.Kind) + ": " + e.Text }

// Unwrap lets errors.Is find the kind.
func (e *RuleError) Unwrap() error { return e.Kind }

// Rule makes a RuleError.
func Rule(kind ErrorKind, format string, args ...any) error {
	return &RuleError{Kind: kind, Text: fmt.Sprintf(format, args...)}
}
