// Package council is one validator's part in the identity chain: the agreement of
// all validators (package pob/byzcoin) on the registry and the epochs (package
// transepoch/identity), the lottery that finds a leader (package eds), the random
// beacon (package drp), and the rules of when to do what.
//
// A [Core] is a pure machine like the ones that it is made of: package node runs
// it with sockets, files and clocks, a simulation runs many in one goroutine.
//
// # Terms
//
// The coming epoch is the one after the current. Preparing it begins when the
// current one is as old as the policy wants, by the validator's own clock, or when
// f+1 members are seen to do so. Every member then gives its sign of life, shards'
// newest blocks are shown, and the lottery draws leaders. The leader gathers
// dealings and puts up the [identity.Seed]. When a block with a seed is final,
// whoever leads then collects shares and puts up the [identity.Output]. The block
// with it has the record of the coming epoch, and the machines of the beacon are
// forgotten.
//
// # What members ack
//
// The check of a body is the same for all members. But a member holds its ack of a
// seed back until it backs the author as a leader, or has backed it, in the
// choice's view, which is the lottery's or the one before. What some ack and some
// hold back could stop the chain, so nobody holds back for ever: not when f+1
// members stand for the seed ([Endorsed]), since one of them is honest; not when
// any seed is final, since the others then have no effect; and not when the lottery
// has begun another view, in which case those that it drew have failed. Besides, no
// seed is acked for a while in which blocks of shards are on the way that it would
// leave behind: as long as an honest leader would wait for them. The output is as
// good whoever put the seed up; the lottery is to keep somebody from doing so every
// time.
//
// # When nobody leads
//
// Leaders follow each other by the rounds of the lottery. After a seed there is
// nothing to choose any more: each leader collects shares for the same choice.
// When the lottery had to begin another view since the seed, all members collect,
// and state who is silent if a group withholds. When a quorum did, the epoch is
// void.
//
// # Safety and clocks
//
// That an epoch has one output is the agreement's doing, in that one seed becomes
// final; that nobody knows it before is the beacon's. Clocks, rounds and what is
// held back decide when something happens and who does it, nothing else.
//
// # The owner
//
// It stores the records in one log, runs every [Check] on another goroutine, one
// after the other and authors in turn, and answers byzcoin.Serve and
// byzcoin.ReadBody from the log, as for a shard. It tells [ShardAt] of the shards
// that it takes part in, gives what they have for the registry ([Carry]), brings
// them what the blocks have for them, and [Submit]s what clients want recorded. It gets
// [Decided], [NewEpoch], [Answer], [Status] and [Misbehaviour], and what the
// agreement delivers about itself. A snapshot is what State.AppendTo gives together
// with what [Core.Snapshot] does.
//
// A registry that cannot enter an epoch that was recorded, which should not happen,
// halts the machine: [Core.Err].
//
// # Restart
//
// The chain's state tells the phase. Besides, the log has when a block became
// final, and the records of the beacon: a dealing is never made twice.
//
// # Departures
//
// By the rule of package drp, members could check the dealings to their own group
// only, since a wrong one counts as zero. Here every member checks all that a seed
// chooses: it costs what verifying the output does, and what members ack must be
// the same for all of them.
//
// A client's op is answered when it is final, not when a quorum holds it: ops are
// few, and one that the end of an epoch overtakes is put up again only by whom it
// was submitted to.
package council
