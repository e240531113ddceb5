// Package beacon lets a third party check an epoch's random value, with the
// genesis and nothing else: no network, no node.
//
// A file of this package has the walk and the transcript. The walk are the
// records of all epochs from the second to the one in question, each with the
// proof that the members of the epoch before made it final: one certificate an
// epoch. The transcript is the run of the random beacon (package drp) that the
// last record names by its hash. The first epoch has no run: its value follows
// from the genesis. A void epoch has none either: its record names who was silent.
//
// [Verify] goes from the genesis to the record, checks the transcript against the
// members that the record before has, and that it gives the record's value. What
// it then says, who dealt and whose dealings were wrong, is proven by signatures
// of those concerned.
//
// # The file
//
//	"iosbeacon" 1 | chain 32 | epoch u64
//	for each epoch from 2: record blob | proof blob
//	transcript blob, empty if there is none
//
// Numbers are big-endian, a blob is its length (u32) and its bytes. There is one
// encoding, and whatever is read is bounded: one record and the transcript at a
// time, however long the walk is.
package beacon
