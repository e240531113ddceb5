// Package epochs follows the epochs of a network: it holds the book of committees
// (package transepoch/identity) for the goroutines of a process, and the records
// that the book was made of, which prove it to others.
//
// Validators and clients use the same book. A validator adds a record when its
// identity chain has it, a client when a validator sends it: either way the record
// is believed for the certificate of the epoch before, and for nothing else.
package epochs
