// Package testenv is what tests and benchmarks ask of the environment that they run
// in: settings, and the CPU time that was used.
package testenv
