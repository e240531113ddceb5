// Package node runs one validator: it gives the pure machine of package
// validator a transport, a disk, a clock and clients.
//
// # Goroutines
//
// The loop owns the machine: it feeds it events, one at a time, and carries out
// the effects. What takes long happens elsewhere and comes back as an event: the
// checker verifies signatures in batches, the log makes records durable and then
// lets the sends behind them go, the reader fetches old blocks for others. The
// loop waits for none of them, except for the log when its queue is full.
//
// # Start
//
// The newest good snapshot is loaded and the log behind it is executed again. A
// node that was killed at any instant thus comes back to its last final block
// without help, and learns the rest from its committee. The API answers from the
// beginning, and tells how far this is.
package node
