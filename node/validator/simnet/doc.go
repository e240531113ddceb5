// Package simnet runs whole sharded networks of [validator.Core] machines in
// package sim: committees of any size, crashes and restarts from what was
// durable, hostile members, clients that vanish, and after every step a look at
// what must always hold. It is for tests; nothing that a program is built of may
// import it.
//
// # Parts
//
// A [Plan] is all that a seed decides about a run. A [Net] is the run: what the
// node's shell does with disks, signature checks and clients is done here for
// real, only the delays are simulated. The judge is the part that watches: it
// executes every final block on a ledger of its own.
//
// # What must hold
//
// The numbers are those by which failures name what broke.
//
//   - 2: no two honest validators of a shard ever make different blocks final at
//     one height, and what they execute comes to the same.
//   - 3: in each shard the value less what other shards brought is that of the
//     genesis. When nothing is open, what is between the shards comes to nothing,
//     and the coins are those that a recount of all committed transactions gives.
//   - 4: a shard gives one answer to a transaction, and closes it once. A
//     transaction is committed in all its shards or in none.
//   - 7: what an honest validator accepted is in a final block in the end, with an
//     outcome, or skipped because another transaction took its inputs.
//   - Every block is certified by the committee of its term, and the turns in
//     the blocks lead from each term to the next as the plans say. In the end all
//     shards are in the last batch of the last epoch.
//   - An honest validator never speaks for two blocks at one height, view and phase,
//     in a view that it has left, or for two bodies under one number, whatever
//     it forgot in a crash.
//   - Honest validators are not accused by honest ones or by clients, and do not
//     halt.
//   - Once the faults end, everything comes to an end.
//
// # Epochs
//
// A third of the runs have epochs: plans with newcomers and leavers, which stand for
// the blocks of an identity chain and are told to the validators one by one. A
// validator that moves runs a machine in each of two shards, and leaves a shard when it
// has no seat there and owes nothing. Epochs are made so that a transfer never spans three of them: that
// takes state blocks.
//
// # Hostile members
//
// At most f members of a committee are hostile, each in several ways at once,
// and those of one shard act together: they vote for everything, show different
// halves different things, and put certificates together from any shares that
// reach one of them.
package simnet
