package node

import (
	"ios/chain"
	"ios/node/onetnet"
)

// Transport carries encoded messages between validators. Package onetnet is
// the real one; tests have one in memory.
type Transport interface {
	// Send queues one message; the parts are sent as one and must not be
	// changed afterwards. It never blocks.
	Send(to chain.ValidatorID, parts ...[]byte)
	// Drop closes the peer's connections and refuses it for a while.
	Drop(peer chain.ValidatorID, reason error)
	// SetPeers replaces the validators that there are.
	SetPeers([]onetnet.Peer) error
	// Stats tells how the connections to the peers are.
	Stats() []onetnet.PeerStat
	Close() error
}

// Handler gets every message that arrives, in the order in which its sender
// sent it. It must return soon.
type Handler func(from chain.ValidatorID, payload []byte)
