package drp

import "ios/chain"

// What is wrong with a choice, a transcript or evidence is a chain.RuleError: of
// kind ErrSignature for a signature, ErrEncoding for bytes that are no canonical
// encoding, ErrProof for everything else.
var errProof = chain.Rule(chain.ErrProof, "its proof is wrong")
