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
//
// # From committee to committee
//
// A shard goes on to the next committee by a turn: a body that holds an entry
// into an epoch or a batch of it, as package transepoch has them. The first turn in
// a block's order that counts on the shard's state ends the term with that block.
// The header does not name it: its bodies are in the header, and whether a turn
// counts follows from them and the blocks below. Who is not sure of a turn (the
// epoch block is not here, a Ready does not fit, the deadline has not passed) does
// not ack the body; so what a quorum acked is right, and whoever catches up need
// not look at it again.
//
// A [Core] without a seat follows the chain. One that a batch is to bring in tells
// the members when it is ready, until a block says so. One that has lost its seat
// hands over what it still owes to clients, see [Core.Unsettled].
//
// Held bodies that no block of their term lists are put up again in the next one:
// by their author at once, and by each other member that holds them after a while
// that grows with its distance from the author, unless a final block has them by
// then. If nobody with such a body has a seat any more, who had one hands it over.
// A transaction that expires meanwhile has lapsed, and the owner is told.
package validator
