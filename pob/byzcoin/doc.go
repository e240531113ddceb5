// Package byzcoin is the agreement of a committee on a chain of blocks: PBFT
// with collective signatures, after ByzCoin as OmniLedger uses it. The shards
// run it, and so does the identity chain of all validators.
//
// # Terms
//
// A member of the committee has a seat. There are s seats, of which at most
// f = floor((s-1)/3) are faulty, and a quorum is q = floor((s+f)/2)+1 seats. Any
// member authors numbered bodies; a member acks a body when it has checked it and
// stored it; with q acks a body is held. The leader of a view,
// members[(first+view) mod s], proposes the block above the last final one: an
// ordered list of held bodies and the root over what executing them comes to. The
// members execute it too and prepare it. A prepare certificate of q shares locks
// the block, upon which they commit it; a commit certificate of q shares makes it
// final. When nothing becomes final for too long, the members change to the next
// view. A member that leaves a view cannot come back to it, so none does it alone: it
// complains, votes on, and leaves when f+1 complain, one of which is honest.
//
// # Invariants
//
// What a member says is durable before it is said, so these hold across crashes:
//
//  1. It acks one body per author and number, in order and without gaps.
//  2. In a view it signs prepare for at most one block per height, and commit
//     only for a block with a prepare certificate of that view.
//  3. After a view change message for view v, or after installing v, it signs
//     nothing in a view below v.
//  4. It votes at height h+1 only when its block h is final, in which case its
//     later view change messages show a final height of at least h.
//  5. It accepts as final what has a commit certificate, and nothing else.
//
// Two commit certificates at one height and in one view are for one block, since
// two quorums share an honest member (2q-s > f) and by 2. Across views: a commit
// certificate at height h in view w means q members locked the block in w, before
// they sent a view change message for any v > w (by 3). The q messages in the new
// view message of v include one of theirs, which shows the prepare certificate,
// or a final height of at least h. By induction over the views between w and v
// no prepare certificate at h of a view from w on is for another block, so
// the highest shown, which must be proposed again, is for this one. Any q
// messages will do, so it does no harm when a leader shows different ones to
// different members, or when anybody passes a new view message on.
//
// A new view message with the highest final height H thus binds the proposal
// at H+1. At H and below nothing is voted in the view: who lacks these blocks
// fetches them, also when a crash came between the view's record and theirs.
// Above H+1 nothing needs to be shown: a vote at H+2 in a view below v
// would have come from a member with H+1 final, and a certificate there from q of
// them; one of these is among the q of the new view message, and its message,
// sent after that vote (by 3), would have shown H+1 (by 4). So nothing above H+1
// was ever certified in a view below v, in either phase.
//
// # Succession
//
// A [Machine] is one member of one committee. A [Chain] runs one after the other
// for the successive terms of a chain: the application says after each final
// block whose turn it is ([Application].Next), and the owner knows who that is
// (chain.Committees). The block after which another committee acts is the last of
// its term: in the step in which it becomes final the old machine is closed and
// says nothing more, and the new one begins above it in view 0. So no height
// has two committees, and the invariants above hold in each term by themselves:
// nobody votes above a block before it has the block, and the block says who
// votes above it. Bodies, votes and view changes name their term; there is one log,
// in which a record belongs to the term that the final blocks before it lead to.
//
// View 0 of a term is led by one of the authors of the last block below, drawn by
// that block's hash, if one of them has a seat: a member that authored a body a
// moment ago is alive. Who led the last block is nothing that everybody knows the
// same of, since a block may be certified in two views.
//
// What was held in a term and is not in one of its blocks never will be. Every
// member that acked it still has it and tells its owner ([Succeeded]): of the q
// members that acked, q-f are honest. The owner puts the contents up again in
// the new term and says [Settled]; until then they are part of the state that
// survives a restart. There is a bound, in terms and in bytes; who exceeds it is told
// what was given up ([Dropped]).
//
// The last block of a term may be with members alone that have no seat in the next.
// They serve it until a quorum of the next committee has answered them from there
// ([Chain.HandedOver]).
//
// Messages travel in a [Tagged]. Who is in an older term is shown the certificate
// with which the last one ended, and told that we are [Ahead]; messages of the
// next term are kept, a few of each of its members. Who hears of later terms
// fetches final blocks in order from whoever claims to have them, and its machines
// check each against the committee of its term, which the blocks below lead to.
// A claim is worth a request, no more: a source that does not keep its word is
// passed over, each time for longer, and nothing that it says stops the machine of
// the term. A closed machine goes on serving its log. A validator without a seat
// follows the newest committee: f+1 members tell it of every block. Members keep
// accounts of what such validators ask for. Those that are to get a seat, which the
// owner names, always have one; strangers share what is left.
//
// # Old committees
//
// A certificate says that a quorum of keys signed. It convinces while at most f of
// them are the adversary's, and that is promised for an epoch or two: the keys of a
// committee that left office long ago may all be for sale. So who catches up over
// such terms does not believe their certificates alone ([Anchors]). The records of
// epochs name blocks of the chain. From the lowest of these above its own last block
// the Chain fetches headers downwards, each the parent of the one before, until they
// meet that block: then the hash of every block between is known. A block of an old
// term becomes final if it has the known hash, and its certificate, bodies and
// outcomes are right too, since others will fetch them from us. The term's machine is
// idle meanwhile: it gets no message, casts no vote and synchronizes with nobody. Above
// the highest known block all terms still convince, and certificates count as usual.
//
// A source with headers or blocks that do not fit is named and passed over; another
// is asked. If the headers do not meet our own last block, or a record names another
// block than ours at some height, somebody has deceived us before: the Chain halts
// and says that its data must be deleted. Hashes are held of about a thousand blocks;
// where the known block is further above, one hash in a thousand is kept on the way
// down, and the range is fetched again when the blocks get there.
//
// # Catching up
//
// Ranges of blocks are asked of several sources at a time, those that the owner names
// before those that name themselves. How long an answer may take follows from how long
// answers took. One that comes after it was given up is taken all the same, so that a
// slow network makes catching up slow, and not impossible.
//
// # Durability and the outside
//
// The runner's promise in package sm covers sends. What it tells anybody outside
// because of a Deliver (a client that its transactions are held, say) is a send
// in that sense, and waits for the records before it.
//
// # Departures from the paper
//
// ByzCoin's leader is whoever mined the last key block, and its blocks hold the
// transactions. Here the committee is given, the leader stays until it fails, and
// blocks refer to bodies that were spread before. The collective signature is one
// round of BLS per phase in place of Schnorr's two, which concurrent sessions
// break.
package byzcoin
