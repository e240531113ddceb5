// Package load puts a network under load and measures it.
//
// # How
//
// Everything is prepared before the clock starts: coins are made by fan-out
// transactions from the faucet, one for each transaction to come, and every
// transaction is built and signed into one buffer per shard. Under the clock a
// submission is a slice of that buffer, spread over the validators of the shard,
// and the stream of final blocks is looked up in a table of ids: nothing is
// allocated per transaction.
//
// A rate that is given is an open loop: a transaction's latency counts from the
// moment at which it was due, however late it was sent. Without one, a closed
// loop finds what the network sustains: the transactions that are in flight are
// bounded by a window, which grows while they become final sooner than a target
// and shrinks while they take longer. A network that is saturated then always has
// work and never a queue that grows, so a burst into queues cannot count.
//
// The target is a latency within a shard. A transfer across shards has two of them
// on its way, as it waits behind the work of the payer's shard and then of the
// payee's, so with a share x across the mean latency that is aimed at is 1+x times
// the target. (The block with which the payer's shard closes it is a third one, but
// before that no client's work is waited for.) Were the target the same for every
// mix, blocks would have to be the faster and smaller the more goes across, and
// rates of different mixes would say how much each was throttled and not what the
// network sustains.
//
// # What is reported
//
// The rate is what was submitted in the window of time and is final when that
// ends, over its length. Final means final in every shard that the transaction
// involves. Lost is what a validator accepted and no shard brought to an end:
// there must be none.
//
// The floor is what the cost model allows ([Floor]): all validators of the
// network share the machine's cores, each member of the shard of a transaction's
// owner verifies its signature, which takes t in a batch of 1,024 without any
// cache, and each member of a shard spends about 3 µs whenever the transaction
// changes the shard's state. Within a shard that happens once; across two shards
// three times: the lock, the commit with credit, and the commit that spends the
// lock. So for m members in a shard and a share x across shards
//
//	floor = cores ÷ (m·(t + 3 µs) + x·2·m·3 µs)
//
// over all shards together, t being measured in the same run, on one core, before
// anything else happens.
package load
