// Package utxo is the set of unspent outputs of one shard, in memory.
//
// It is a value of the protocol layer: no lock, clock, file or randomness. The
// secret that protects it against chosen collisions is given by its owner.
//
// # Layout
//
// The set is cut into [Partitions] by the owner's address. An operation touches
// only its owner's partition, so goroutines that work on different partitions
// need no locks. A partition is a slab of entries without pointers, in pages
// that never move, and an open-addressing index of 8-byte slots that grows a
// few slots per operation. The garbage collector looks at one pointer per 1,024
// coins, and no insertion pays for a rehash of the whole.
//
// # Undo
//
// A block is applied in place through an [Undo], which takes back what it did.
// Lists of different partitions may be taken back in any order.
//
// # Order
//
// The canonical order is by outpoint. [Set.Sorted] walks it, the root of a state
// block is over it, and a snapshot is written in it.
package utxo
