// Package validator joins the protocols into one validator of a shard: the
// agreement (package pob/byzcoin) orders bodies, the ledger (package atomix)
// executes them, the relay carries outcomes between shards, and a pool holds
// what clients submitted until a quorum holds it.
//
// A [Core] is a pure machine like the ones that it is made of: package node runs
// it with sockets, files and clocks, a simulation runs many in one goroutine.
//
// # What a client hears, and when
//
// A submission is answered when each of its transactions is refused or in a
// body that a quorum has stored: from then on not even the loss of a whole
// shard's power loses it. The outcome follows with a final block.
package validator
