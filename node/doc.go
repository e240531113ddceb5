// Package node runs one validator: it gives the pure machines of its chains a
// transport, a disk, a clock and clients.
//
// # Chains
//
// A validator takes part in the chain of a shard, in two for a while when it
// changes from one to another, and may take part in others. Each chain has a
// runner: a machine with its loop, its timers, its log and its indexes in a
// directory of its own. What the chain is about is its owner's business: a member
// is the owner of a shard's. The [Node] has what all chains share: keys, the
// transport, the checker of signatures, and the client API. On the wire each
// message begins with the chain that it is for.
//
// # Goroutines
//
// A runner's loop owns the machine: it feeds it events, one at a time, and carries
// out the effects. What takes long happens elsewhere and comes back as an event:
// the checker decodes bodies and proofs and verifies the signatures of all chains
// in batches, past which goes what has none, the log makes records durable and
// then lets the sends behind them go, the reader fetches old blocks for others.
// The loop waits for none of them, except for the log when its queue is full, and
// none of them waits for a loop.
//
// # Keys
//
// A validator's keys are replaced while it runs, and chains enter an epoch at
// different times, a stalled one perhaps never. So the keys are on a ring, see
// config.Keyring, and each term and each run of the beacon asks for those that the
// epoch records give us in it. What is not on the ring is looked for in the home, where
// "ios node rotate" puts it before it orders anything. When every chain in which we
// have a seat is past the old keys they are deleted: who steals them later has
// nothing.
//
// # Start
//
// The newest good snapshot is loaded and the log behind it is executed again. A
// node that was killed at any instant thus comes back to its last final block
// without help, and learns the rest from its committee. The API answers from the
// beginning, and tells how far this is.
package node
