// Package sim runs a whole network of protocol machines in one goroutine, on a
// simulated clock, with every fault that a network and a disk can have.
//
// Things happen in the order of (time, sequence), all chance comes from one
// seed, and every event that a machine consumes goes into a hash of the run: the
// same seed gives the same hash. Messages are encoded when they are sent and
// decoded when they arrive, so that codecs are exercised and no memory is
// shared. Records become durable after a delay, sends and delivers behind them
// wait, and a crash loses what is not durable together with what waits for it.
//
// The package knows no protocol: requests that a machine makes to its
// environment are answered by the test, and what must always hold is a function
// that runs after every step.
package sim
