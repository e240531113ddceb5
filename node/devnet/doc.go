// Package devnet makes and runs a whole network on one machine: one process per
// validator, all on loopback, for development, demonstrations and tests.
//
// The folder of a network holds
//
//	genesis.toml   what everybody starts from
//	faucet.key     the seed that owns all allocations, mode 0600
//	v0, v1, …      the validators' homes (package config)
//
// Whoever joins later belongs to it if its home is there, too: a folder with a node.toml.
//
// [Network.Status] asks all validators of any network how they are, wherever they run:
// those of the current epoch, which it follows by the epochs' records.
//
// Ports are chosen once, when the folder is made, and stay in the
// configurations. A process is found by its data directory's lock, which names
// the pid, and by the command line of that pid: a number alone is never
// signalled, since the kernel gives it to others.
package devnet
