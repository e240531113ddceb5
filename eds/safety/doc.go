// Package safety says how likely a network is to fail because too many
// Byzantine validators come together by chance: in a shard, in the committee of
// a batch of swaps, in a group of the beacon (OmniLedger section 5.1 and
// appendix, RandHound section 5).
//
// # Terms
//
// Of n validators B are Byzantine. A shard is s of them, drawn without
// replacement, so its Byzantine members X have the hypergeometric distribution.
// It keeps what it promises while X is at most f = floor((s-1)/3). The binomial
// distribution, of draws with replacement, is what the papers print: it is the
// limit for large n, and larger.
//
// An epoch fails if any of its committees does. They depend on each other, so
// their probabilities are added up, which is an upper bound: over the shards,
// over the committees that a shard has while it swaps its members in batches,
// and over the assignments that a Byzantine leader might have drawn again,
// which gives a factor of 1 + B/n + (B/n)^2 + ... = 1/(1-B/n).
//
// While k members of a shard are exchanged, up to k newcomers may be absent; the
// shard goes on if X + k is at most f. A miss stops it until they are there, and
// never lets it contradict itself, so this is reported and is no reason to
// refuse a network: in small shards at least one member must be exchangeable.
//
// In a group of c servers the beacon's secrets are shared with the threshold
// t = floor(c/3)+1. A group withholds if more than c-t of it are Byzantine. The
// output is known early, or was chosen, only if every group has t Byzantine
// servers. Fewer than a third of all are too few for that, however they fall:
// the thresholds add up to more than a third. The groups are drawn anew in each view
// of the lottery, which ends when three leaders in a row have failed; so somebody
// can have others drawn only by leading three times, and Withheld is of one view.
//
// # Exactness
//
// Hypergeometric probabilities are quotients of sums of whole numbers and are
// computed as such; only the last step rounds. All machines compute the same,
// so a batch size that is derived from them can be part of a protocol.
//
// # Departures from the papers
//
// OmniLedger counts floor(s/3) Byzantine as harmless, where agreement among
// s = 3f members fails already; here it is floor((s-1)/3). It does not add up
// over batches.
package safety
