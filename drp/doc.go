// Package drp is the distributed randomness protocol: the validators of an epoch
// make a random value that none of them can predict, choose or withhold, and that
// anyone can verify (white paper section 4.3, after RandHound by Syta et al.,
// 2017).
//
// # Terms
//
// The servers are the validators whose keys count in the epoch. A view has
// [Groups]: a permutation that follows from the output of the epoch before, cut
// into balanced parts. A server's [Dealing] shares a random value among the c
// servers of its group, t = floor(c/3)+1 of which can open it. The leader of a
// view picks a [Choice] of exactly t dealings from each group and has it signed
// off by the validators, outside of this package: a run knows no chain, it
// proposes and is told what was decided. Against the sign-off, and for whoever
// shows it, the servers open their shares; a collector makes a [Transcript] of
// them. The output is a hash of the chain, the epoch, the choice, and the sum of
// the dealt values.
//
// # Why the output is what it is
//
//   - A leader can choose dealers, not values: it sees no value before the
//     sign-off, and t dealers of a group cannot all be of its Byzantine servers.
//   - Of one epoch there is one sign-off, for one choice: that is the agreement's
//     property, which Config.VerifySignOff stands for. A leader that hides it and
//     shows it later, or a collector that takes over, is bound to the same choice.
//   - A chosen dealing whose proof is wrong counts as zero. Who signs off refuses
//     one in its own group at least; [Verify] judges all of them by the same rule, so
//     the transcript cannot leave out a value that counts or use one that does not.
//   - No share subset, time, or message enters the output: transcripts differ,
//     the output cannot.
//   - A server deals once per view. The dealing is recorded before it is sent, and
//     sent again, never made again; two contents are an [Equivocation].
//
// If more servers of a group than it can do without stay silent, [Void] names
// them; the chain then may decide that the epoch has no output. Before that
// collectors pass on to each other what was opened to them, so that servers cannot
// withhold by opening to each collector something else.
//
// # The machine
//
// [Machine] follows package sm. Its owner tells it [Begin] for every view, [Lead]
// where it leads, and gets [Propose] there. Whoever is to sign a proposal checks it
// with [CheckChoice] or [CheckWhole], and stores it first. [Decided] tells of the outcome, [Collect]
// makes the transcript, which comes as [Result]. [Progress] has the tables on the
// way, [Equivocation] is evidence, [Refused] what could not be done. [Stop] ends it.
//
// A peer has one slot in what is gathered, is answered once in a Delta, and can
// have one sign-off checked in a Delta. The checks of a leader and of a collector
// are made in one step each: for 512 servers that is about a quarter of a second.
//
// # Departures from the papers
//
// In RandHound a client makes groups, and the output is final when the client says
// so; here the grouping is given and the agreement of the validators fixes the
// choice, so that nobody can discard an output that it dislikes. Servers answer for
// all dealings of their group with one proof. The transcript has threshold many
// shares rather than all that came.
package drp
