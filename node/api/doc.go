// Package api is the client API of a validator: the [Server] that a node runs
// in front of its [Backend], and the [Client] and [Network] that wallets, load
// generators and operators use. The contract is ledgerpb/ledger.proto.
//
// # Serving
//
// Everything is served by connect on one net/http server, over HTTP/1.1 and
// h2c, on a loopback address unless configured otherwise. [SubmitPath] takes a
// submission as a plain binary body, beside the Submit call: it is what costs
// least for one transaction a request. /healthz, /readyz and /metrics stand
// beside them.
//
// Every resource has a bound: connections, body sizes, calls of each kind at a
// time, bytes of submissions in flight, the time a client may take to send its
// request and to read its answer. Who is beyond one is refused with the reason,
// and that is logged once in a while, not once a request.
//
// # Events
//
// A block's event is encoded once and kept in a window of recent blocks; a
// subscriber is a height in it, and has no buffer. Older blocks come from the
// Backend. A subscriber that has caught up once and then falls out of the
// window, or does not read for a while, is cut off with the reason.
//
// # Errors
//
// A refusal is a [chain.RuleError] on both sides: its kind, sentence and next
// step travel in the error's detail, and errors.Is finds the kind in what a
// Client returns.
package api
