// Package eds is Efficient Distributed Sharding (white paper section 4.2; the
// lottery and the assignment are OmniLedger's): who leads the making of an
// epoch's random value, and which shard that value puts a validator into. The
// package safety says how large the shards must be.
//
// # Assignment
//
// [Assign] permutes the validators by a seed and cuts the permutation into
// shards of equal size. The genesis uses it with the seed that it carries. The
// seed comes in as a value: this package does not know who made it.
//
// # Lottery
//
// [Lottery] is the machine of one member in one epoch. The epoch goes through
// views 0, 1, 2, ... In every view each member has one ticket, the VRF of its key
// over the chain, the beacon's last output, the epoch and the view. The three
// members with the lowest tickets lead in turn: round 3v+k is that of the member
// with rank k in view v.
//
// Nobody has to agree on the set of tickets. Two Delta after a view began, one
// for others to begin it and one for their tickets, a member backs the best that
// it knows, and tells its owner by [Round]. What a leader brings about is agreed
// upon elsewhere, by a quorum that may back different leaders for a while without
// harm: a late proposal of an earlier leader is as good as any other
// ([Lottery.Backed]).
//
// A member that does not hear in time that the leader succeeded (its owner ends
// the lottery by [Stop] then) gives up on the round and says so in a [Timeout],
// with the three best tickets that it knows. f+1 members that gave up make
// everybody give up, q of them begin the next round. Two members that are
// connected are therefore in the same round within two delays. The time of a
// round doubles with every view, up to 32 times, and once more within a round
// that visibly moves ([Progress]).
//
// # Tickets that come late or to some
//
// Members send their tickets to all. A Byzantine member may show a good ticket
// to half of them, which then back it while the others back the next. That round
// is lost. But whoever enters the next has q timeouts; if fewer than a quorum
// backed the member's rival, some of these are of members that know the ticket,
// and it is in what they show. Ranks are formed from all tickets known, so from
// then on they are equal again. A ticket that is held back thus costs a round at
// most, which is what its owner could have cost by leading badly.
//
// # Exclusion
//
// A leader failed if a quorum named it in their timeouts. Each member passes over
// those it saw fail in the ranks of later views. It believes at most f of them;
// when there are more, some were honest and only slow, and all are forgotten.
// Byzantine members may name to each member whom it backed itself, so that one
// failed for some members and not for others. That loses a view, and again those
// after it whose tickets fall so that no leader is common to all, until one is.
//
// Members need not agree on this, but they must not differ for ever: if each of
// them passed over another honest one, no ticket would ever find a quorum. So all
// are forgiven, too, after a view in which some round had no leader that a quorum
// named, which is what members see who differ. A Byzantine member can bring that
// about; then those that failed get another chance, and may cost a round again.
//
// # Restart
//
// Nothing is kept on disk. A member that restarts begins at round 0, and is taken
// by f+1 and q timeouts, which all repeat at growing intervals and send at once
// to whoever is seen to be behind, to the round of the others. This is safe because
// nothing is decided here: the ticket is a function of the key and is the same
// again, others keep the highest timeout of each sender, so that an older one
// takes nothing back, and backing a leader twice or two leaders is harmless to
// an agreement that keeps its own votes.
//
// # Departures from the papers
//
// OmniLedger's validators wait for the lowest ticket and start over with a new
// view when its owner fails; here three lead before tickets are drawn again.
// Members wait two Delta for tickets, since they do not begin at the same moment.
package eds
