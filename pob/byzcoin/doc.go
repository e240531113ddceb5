// Package byzcoin is the agreement of a committee on a chain of blocks: PBFT
// with collective signatures, after ByzCoin as OmniLedger uses it. The shards
// run it, and so does the identity chain of all validators.
//
// # Terms
//
// A member of the committee has a seat. There are s seats, of which at most
// f = floor((s-1)/3) are faulty, and a quorum is q = floor((s+f)/2)+1 seats. Any
// member authors numbered bodies; a member acks a body when it has checked it and
// stored it; with q acks a body is held. The leader of a view, members[view mod s],
// proposes the block above the last final one: an ordered list of held bodies and
// the root over what executing them comes to. The members execute it too and
// prepare it. A prepare certificate of q shares locks the block, upon which they
// commit it; a commit certificate of q shares makes it final. When nothing
// becomes final for too long, the members change to the next view.
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
