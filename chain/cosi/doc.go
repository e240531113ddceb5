// Package cosi has the collective signatures of committees: one signature of
// 48 bytes and a bit for each seat say that at least a quorum signed a message.
//
// # Terms
//
// A [Committee] is an ordered list of public keys; a seat is an index in it. Of
// s seats at most f = floor((s-1)/3) are faulty ([Faults]), and a quorum has
// q = floor((s+f)/2)+1 ([Quorum]): any two quorums share an honest seat, and
// the honest alone are one.
//
// A share is one seat's signature. Shares add up: a [Contribution] is the sum
// of the shares of the seats in its [Mask], be it one share or what an inner
// node of a tree gathered. A [Collector] takes contributions for one message
// and makes a [Certificate] of them once they are a quorum. Whoever holds the
// committee checks a certificate with [Committee.Verify].
//
// # The scheme
//
// [BLS] is the signature of Boneh, Lynn and Shacham on BLS12-381 with signatures
// in G1 and keys in G2, as the IETF draft draft-irtf-cfrg-bls-signature has it:
// its key generation, its suite with proofs of possession and their own domain
// tag, and the hash to G1 of RFC 9380 (SSWU, random oracle). The CoSi paper
// (Syta et al., 2016) and the white paper after it use Schnorr signatures in two
// rounds. Those are forged by concurrent sessions (Drijvers et al., eprint
// 2018/417; Benhamouda et al., eprint 2020/945), and need a second round when a
// member falls silent; here a share is final the moment it is made, and the
// tree is only a way to add up shares.
//
// # What a caller must see to
//
//   - Sums are only sound over keys whose holders proved to know the secret:
//     [Scheme.VerifyPossession] belongs before a key enters a registry, and
//     [Scheme.NewCommittee] relies on it. Without, a member could pick its key
//     so that it cancels the others' and sign for all of them.
//   - A message holds everything that it must not be mistaken for: domain,
//     chain, shard, epoch, batch, height, view and phase.
//   - A share says nothing about who sent it: a star passes the sender's seat to
//     [Collector.AddShare], a tree checks [Mask.Within] the sender's subtree.
//
// # Cost
//
// Leaves of a tree sign, inner nodes check that points are points and add, and
// only the root pairs: once for a whole round. If that fails, it halves the
// contributions until it has named who sent a wrong one. A checked certificate
// costs one pairing check too, whatever the size of the committee: the sum of
// all keys is kept, and the absent are subtracted. For the sets of seats that
// signed lately it keeps the lines of their sums, which saves a sixth.
// Many certificates at once, as of the blocks that somebody catches up with, cost a
// quarter each ([Committee.VerifyAll]). BenchmarkWholeRound is the CPU time of all
// members together.
//
// Nothing here starts a goroutine, reads a clock or draws randomness. Values are
// safe for concurrent use, except a Collector and a Mask that is being changed.
//
// The arithmetic is not constant in time; a secret should not sign for callers
// that can choose messages and time the answers at the same machine.
package cosi
