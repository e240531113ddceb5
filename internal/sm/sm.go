// Package sm is the contract between a protocol machine and whatever runs it.
//
// A machine consumes one event at a time and returns the effects that follow
// from it, in order. It holds no goroutine, lock, clock, socket, file or global
// randomness: the time is in the call, the keys and random streams are in its
// configuration, and the world is what it asks for in effects. The same
// sequence of events therefore always gives the same sequence of effects, in a
// simulator as in a node.
//
// # Durability
//
// Whoever runs a machine keeps one promise: no [Send] leaves before every
// [Persist] that was returned before it, by this step or an earlier one, is
// durable. A machine that persists its vote and then sends it can thus be
// killed between any two instructions and never vote twice.
package sm

import "time"

// NodeID is a validator's place in the registry of the whole network.
type NodeID uint16

// Machine is a protocol as a state machine.
type Machine interface {
	// Step consumes ev at time now. Times never decrease between calls.
	Step(now time.Time, ev Event) []Effect
}

// Event is what a machine consumes: a [Receive], a [Fire], or a request type
// that the machine's package defines.
type Event any

// Effect is what a machine asks for: a [Send], [Persist], [SetTimer],
// [CancelTimer], [Deliver], or a request type that the machine's package
// defines and whose answer comes back as an event.
type Effect any

// Message is a value that travels between nodes. Its encoding is canonical and
// starts with a byte that tells its kind within its protocol.
type Message interface {
	AppendTo(dst []byte) []byte
}

// Receive is the arrival of a message. From is authenticated by the transport.
type Receive struct {
	From NodeID
	Msg  Message
}

// Fire is the expiry of the timer that SetTimer set under the same key.
type Fire struct{ Key TimerKey }

// TimerKey names a timer within one machine.
type TimerKey struct {
	Kind uint8
	N    uint64
}

// Send asks for one delivery of Msg to each of To. Delivery may fail, be late,
// be repeated or overtake other messages.
type Send struct {
	To  []NodeID
	Msg Message
}

// Persist asks for a record to be appended to the durable log. After a crash
// the machine is rebuilt from the records, in the order they were returned.
type Persist struct {
	Kind uint8
	Data []byte
}

// SetTimer asks for a Fire at At. A timer with the same key is replaced.
type SetTimer struct {
	Key TimerKey
	At  time.Time
}

// CancelTimer drops the timer with the key, if there is one. A Fire that is
// already on its way still arrives.
type CancelTimer struct{ Key TimerKey }

// Deliver hands a value to the owner of the machine.
type Deliver struct{ Value any }
