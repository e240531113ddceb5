// Package store keeps a chain on disk. It knows bytes, heights and offsets, and
// nothing of the protocols: it is the one package under chain that opens files,
// runs goroutines and takes locks.
//
// # Parts
//
//   - [Log]: the append-only log, the only part whose writes are waited for. A
//     record is a kind and some bytes; its offset is its name for ever.
//   - [Snapshots]: a state as a stream, written atomically, the newest two kept.
//   - [Index]: heights and bodies to log offsets, in bbolt.
//   - [IDs]: transaction ids to heights, in memory and in sorted runs.
//   - [Lock]: one process per data directory.
//
// The log is the truth. Snapshots, index and ids are derived from it and say up
// to where they are complete; after a crash the owner reads the log from there
// and puts the rest in again.
//
// # What survives
//
// A batch whose Done has run without an error survives a loss of power. Batches
// that were not acknowledged may survive as a prefix, in order, never with a
// hole. Damage to what was acknowledged is reported with file and offset and
// never skipped; only in the last group written before a crash can damage not
// be told from a write that the crash cut short.
//
// # Terms
//
// Group: the batches that one write and one sync make durable together. Each
// group starts with a frame, a record of the log's own. A frame is written only
// when all before it is durable, so a good frame behind a bad record proves that
// the bad record was once good.
//
// Segment: one file of the log, named by the offset of its first record. A
// segment that a later one follows is never written again.
//
// The papers leave storage open.
package store
