// Package identity is what the identity chain is about: the registry of
// validators, and the record that begins each epoch (white paper section 4.3,
// OmniLedger's identity blockchain). The chain is made by all validators of the
// frozen set with the same agreement as a shard's; this package is the
// application on top of it, pure state and rules, and the [Book] by which anyone
// follows the epochs.
//
// # Terms
//
// The registry has an entry for every validator that ever joined; its place, the
// [chain.ValidatorID], is never used again. The frozen set of an epoch are its
// members: they make the identity chain in that epoch and get the seats of the
// shards. A body of the identity chain holds [Op]s. In each epoch at most one
// [Seed] becomes final: it fixes the choice of the random beacon for the next
// epoch and with it the next frozen set, so that nobody can pick keys to suit the
// output. An [Output] with the beacon's transcript, or statements of a quorum that
// a group stays [Silent], whichever is final first, ends the epoch: the block has
// the [Epoch] record of the next one, by its hash, among its outcomes, and is the
// last of its term. The record of epoch 1 follows from the genesis.
//
// # Rules
//
//   - A key counts from the seed block after the one before which it was
//     registered: it is in the frozen set that the next seed fixes, and takes part
//     in the beacon that follows upon that. The same goes for rotated keys.
//   - At most Policy.Churn validators come and go in an epoch: first those who
//     asked to leave, then those who gave no sign of life in Policy.AbsentEpochs
//     epochs in a row, then newcomers, each in the order of asking. The others
//     wait. Who was left out for its absence keeps its stake and may come back.
//   - Nobody leaves into a set that misses the policy's bound, by package safety, if
//     the genesis met it: who asked waits until others join, or until it is left
//     out for its absence, and is then gone. Those who are absent are left out all
//     the same, so that the epochs go on: [State.Warnings].
//   - Stake comes back Policy.UnbondEpochs after the epoch in which it ceased to
//     count, as a [Payout] in the record of that epoch: to an address in a shard,
//     or as credit in the registry, with which somebody can join. A payout to a
//     shard is a transaction, see [Payout.Tx], that the block tells the shard of as
//     another shard would: it said yes. It is told again with every epoch until the
//     shard shows that it took it ([Carried]).
//   - A shard pays credit in by a transaction with an output for the registry
//     ([Carried]). It is answered once, in epochs up to its expiry, and the same
//     again to who shows it in a later epoch. So a proof counts once, whoever shows
//     it how often.
//   - What validators have at stake, what waits, credits and what is due to shards
//     add up to the stakes of the genesis and to what shards paid in less what
//     they took ([Funds]), which every record shows.
//   - A shard is taken up by a new epoch if the newest [Base] that the seed block
//     finds shows it in its last batch. Otherwise it is stalled in the new epoch:
//     it stays in the epoch that it is in, or may enter, with its plan. So no
//     shard has to hold back a batch because an epoch is coming.
//   - If the epoch is void, the members, their keys and all seats stay, and the
//     random value is a hash of the one before.
//
// Ops never fail a block: what has become invalid is recorded as rejected. What a
// body shows by itself is checked by a [Checker], apart from the state.
//
// # Following the chain
//
// A [Book] begins with the genesis and takes one record after the other, each
// with one certificate of the epoch before. It knows the committee of every chain
// in every term that still convinces: those of the current epoch and of the one
// before, and of a stalled shard those that it may be in. It needs neither the
// agreement nor the node.
//
// # Departures from the papers
//
// There, validators register by proof of work for each epoch. Here the registry
// lasts, and changes by a bounded part in an epoch. The papers' epoch transition
// takes every shard along; here a dead one stops nobody.
package identity
