// Package atomix moves value between shards: a transfer locks its inputs, then
// commits everywhere or returns the funds. It follows the Atomix protocol of
// OmniLedger (section V of that paper, section 4.3 of the white paper), with
// departures that are listed below.
//
// # Parts
//
// [State] is a shard's ledger: the coins, what is open, and what was decided.
// It executes the bodies of a block in order and can take one execution back.
// [Relay] is the machine by which a validator carries outcomes between shards.
// [Transfer] is the machine by which a client submits a transaction and watches
// it. None of them does any I/O.
//
// # Terms
//
// A transaction is local when it involves one shard. Otherwise each involved
// shard records at most one answer to it for ever: yes ([chain.Accepted]; an
// input shard locks the inputs by it) or no ([chain.Rejected]). An answered
// transaction is open in a shard until that shard knows enough to close it: the
// yes of all the others commits, one no aborts. A lock proof is a bundle in which
// another involved shard says yes.
//
// # Rules
//
// Each rule is there against an attack that has a test of its name.
//
//   - A client's transaction opens a record only in a shard that holds inputs of
//     it, all of them there and as claimed. Anything else is skipped without a
//     trace: nobody can kill a stranger's transaction, or fill the memory.
//   - Without a record only a yes of an involved shard has an effect: an output
//     shard accepts, an input shard locks, or rejects if an input is missing. The
//     yes is justified by induction: the first shard that says yes to a
//     transaction holds inputs, and has checked all witnesses.
//   - An output shard answers, too, and has its answer for ever. That is what
//     stops a proof from being used twice.
//   - A record is made in epochs up to the expiry of its transaction. It is closed
//     whenever the proofs come.
//   - A proof convinces in blocks of the epoch of its certificate and of the next
//     one; later the adversary may have the keys that made it. The terms of
//     headers tell which committee has to have signed. The first block of an epoch
//     therefore tells the others once more what is open.
//   - What is emitted for other shards: the answer, once, in the block that
//     records it. A record that is opened and closed by the same bundle emits
//     Committed in place of Accepted, as it says more. Closing a record that was
//     open before concerns the own shard only; all the others can already tell.
//     Who says yes once more to what was told in an earlier epoch, though, may have
//     missed it for so long that it convinces no more: all are told anew. It has to
//     say so in this epoch; an older yes is one that anybody may show again.
//
// # Witnesses in bundles
//
// The id of a transaction does not cover its witnesses, and neither does a
// bundle's certificate. A shard that holds inputs checks the signatures of every
// transaction in a bundle before it votes ([Signatures]). A shard that only gets
// outputs does not need them, as a lock proof vouches for them; what it keeps may
// therefore have wrong ones, so it never hands such a transaction to a shard that
// holds inputs. The shards that locked do.
//
// # The registry
//
// The identity chain can take the place of a shard: stake is paid in to it, and
// paid out by it, see [chain.Params.PayoutTx]. All validators take part in it, so
// no letters go there: what is for it is delivered as [ForRegistry], and what it has
// comes as [CarryIn] to all members.
//
// # What is open for too long
//
// When a shard was out of reach until a transaction had expired, or until what
// the others proved was too old, it records nothing of it, and what is open in the
// others stays open: returning the funds by a clock could contradict a commit
// elsewhere. Only the root of decided ids in a state block of the expiry's epoch
// can tell that the shard never answered. Until there is one, relays go on asking
// for as long as something is open.
//
// # Departures
//
// In the papers the client drives the protocol and a shard's leader answers.
// Here every shard with something open relays by itself, so that a client may
// vanish at any moment, and an output shard answers like the others. Outcomes
// travel grouped by destination behind one certificate.
package atomix
