// Package eds assigns validators to shards (white paper section 4.2, "Efficient
// Distributed Sharding"; the assignment is OmniLedger's).
//
// What is here is [Assign]: a permutation of the validators, drawn from a public
// seed, cut into shards of equal size. The genesis uses it with the seed that it
// carries. The seed comes in as a value: this package does not know who made it.
package eds
