// Package e2e proves the shell: whole networks of real ios processes on
// loopback, with their own keys and disks, under faults that only processes
// have. Validators are killed at any moment, clients flood and garble, disks are
// full, two processes want one directory.
//
// The package has tests only. Each makes its networks in a temporary folder, and
// ends every process that it started, by its id. What takes long runs with
// IOS_SOAK=1.
//
// # Terms
//
// A traffic is what runs beside the faults: owners that spend their coins in
// rounds, within and across shards, and follow each transaction to its final
// block. A transaction is acknowledged when a validator accepted it. At the end
// of a test everything acknowledged must be final in every shard that it
// involves, every validator must tell the same history, every owner must hold
// what its own books say, and the supply must be that of the genesis.
package e2e
