// Package transepoch leads the committees of all shards from one epoch to the
// next without stopping any ("TransEpoch" in the white paper, after "Maintaining
// operability during epoch transitions" in OmniLedger).
//
// # Terms
//
// An [Assignment] is the seats of every shard. For each epoch the epoch block
// carries an [Input]: where the shards stand, the frozen set of validators, and
// the random value. [MakePlan] makes the [Plan] of it, the same for everybody.
// In each shard some validators leave and others join; a [Swap] is one seat that
// changes hands, and a batch is the swaps that happen at one height. The
// committee of a shard is a function of (epoch block, shard, batch number) and
// nothing else, [Plan.Committee], so seats are nominal: a joiner that did not get
// ready in time holds its seat, is absent, and the quorum counts it.
//
// # The plan
//
//   - In any case leaves who is not in the frozen set any more. Of the others, in
//     each shard, leave the first r by the lot H(shard ‖ rnd_e), where r is the
//     policy's share of the seats, and at least the shard's share of the
//     newcomers: a newcomer's shard is then drawn from all, whoever left where.
//   - Newcomers and leavers take the free seats by one more lot. A leaver does not
//     come back to its own shard unless there is no other way; then it just stays.
//   - Shards that are not stalled get sizes that differ by at most one. A shard
//     that grows gets seats behind the last; in one that shrinks the holder of the
//     last seat moves into a seat that goes. So no committee has an empty seat,
//     which nobody could have a key for, and q = floor((s+f)/2)+1 counts
//     validators only. All other seats keep their numbers.
//   - Batches have at most k = max(1, min(floor(log2 s), f-b)) swaps, b being the
//     Byzantine seats that the safety calculator reckons with. Seats that nobody
//     takes are the first to go, then who has to leave is replaced.
//
// The policy's share should be a third or more. Validators may leave the registry
// and join again: with a smaller share an adversary gathers its own in one shard
// that way, where the others stay. (With nobody drawn, and a tenth of all
// validators that do so, it overruns a shard of 16 ten times as often as the
// calculator says.)
//
// Lots decide over seats and not over numbers in the registry, so that over
// uniform lots each committee of each batch is a uniform sample of the
// validators, for which the calculator's hypergeometric bound holds.
//
// # Progress
//
// A shard enters an epoch by an [Enter] in a block of its own, and a batch by a
// [SwapRecord]; both act from the next height on. What follows from the blocks
// alone is the [State]; a [Progress] is one member's machine around it, which
// gathers signed [Ready] messages and says when to propose what. A batch is
// proposed when all that it brings in are ready, or its deadline has passed. It
// should leave no more than k seats absent (or no more than there were): b Byzantine
// seats and k absent ones are f, which the shard survives. A late joiner is
// absent until its Ready is in the record of a later batch. If more stay away for
// many deadlines the batch goes on without up to f of them, since the honest are
// ready by then, and those who are not shall not keep the committee in office for
// ever.
//
// # Shards that are late
//
// Once a shard has certified its state block it records no more batches in that
// epoch: the next epoch block takes it up at the batch that the state block
// names, done or not, and its validators without a seat count as newcomers. A
// validator with two seats then leaves one. A shard without a state block is
// stalled: it keeps epoch, committee and plan, and goes on with its batches. Who
// may still vote there counts as having a place there ([Input.Held]), nobody with
// two places comes to a third, and so nobody ever votes in more than two shards.
//
// # Departures from the papers
//
// OmniLedger waits for nobody: a batch is swapped and is expected to have
// synchronized. There, and in the white paper, k = log(n/m), with m called the
// size of a shard; it is the number of shards, so that n/m is the size. The rule
// that the next batch waits while more than k seats are absent is stricter here, it
// waits while more than k would be, but not for ever.
package transepoch
