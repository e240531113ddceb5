// Package onetnet carries messages between validators over onet.
//
// [Net] keeps one queue and one writing goroutine for each peer, so that no
// peer, dead or hung, holds up another, and hands what arrives to one handler
// in the order in which its sender sent it. Delivery is not promised: what was
// on its way when a connection broke is lost or repeated.
//
// # Terms
//
// An identity is a scalar and a point of kyber's Ed25519 group. A frame is the
// unit on the wire, at most a MiB: a heartbeat, a batch of messages that waited
// together, or a chunk of a message that fits no frame. A ban is the time for
// which a peer that misbehaved is refused.
//
// # What is onet's, and what is not
//
// onet's router makes connections on demand, runs a goroutine for each and
// dispatches what arrives; identities, messages and hosts are its types. There
// is no onet server, hence no websocket, no second port and no database.
//
// The host below the router is this package's own, because the one that onet
// comes with does not authenticate what a ledger with Byzantine validators needs
// authenticated (v3.2.10, network/tls.go):
//
//   - The proof of a validator's key is a signature over a nonce that the other
//     end chose and the validator's own name. The key of the TLS certificate
//     that carries it is not in it. So whoever a validator connects to can pass
//     it the nonce of a third validator, put the answer into a certificate of
//     his own, and is that validator to the third.
//   - A dialler looks for the key that it wants among the certificate's URIs,
//     but checks the signature with the key in the certificate's name.
//
// Here the certificate's key is the identity itself, and TLS 1.3 has it sign the
// transcript of each handshake. Kyber's Schnorr signatures over Ed25519 are valid
// Ed25519 signatures, so nothing but crypto/tls is involved. A peer is whoever
// proves the key that the registry has for it; it says nothing about itself that
// would be believed. The protocol's version and the chain's id are what TLS
// negotiates as application protocol, so two networks cannot mix.
//
// Besides, onet's host copies a message four to seven times, reads frames of 10
// MiB before it knows from whom, and lets a hung peer block a sender for a minute.
//
// # Bounds
//
// Unsent bytes and messages per peer (Config), three connections per peer, one
// message in assembly per connection, 256 connections that have not proven who
// they are. A connection that brings nothing for Config.Silence is closed;
// heartbeats keep an idle one.
package onetnet
