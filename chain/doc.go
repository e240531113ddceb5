// Package chain holds what every other package agrees on: the types of the
// ledger, their one canonical encoding, their hashes and signatures, and the
// rules that can be checked on a value alone.
//
// # Terms
//
// A transaction moves amounts from inputs to outputs. The shard of an output is
// the shard of its owner's address, so a transaction alone tells which shards
// it involves ([Params.Involved]). Validators gather transactions and proofs
// from other shards into numbered bodies ([Body]); a block ([Block]) orders
// bodies by reference and commits to the outcome of every transaction in them;
// a certificate ([Certificate]) of a quorum of the shard's committee makes the
// block final. An outcome is shown to another shard by a [Bundle] and to a
// client by an [OutcomeProof].
//
// # Encoding
//
// Integers have a fixed width and are big-endian, lists carry their length,
// and there are no optional forms: every value has exactly one encoding and
// decoders reject anything else. Hashes and signatures are over that encoding
// behind a tag that names its purpose. The primitives are in codec.go.
package chain
