// Package config reads and writes what a validator's operator sees on disk: the
// home directory with its configuration and keys, and the genesis file.
//
// A home is a directory of mode 0700:
//
//	node.toml       the configuration, to be edited (type Node)
//	keys.toml       secret keys, mode 0600 (type Keys)
//	keys-N.toml     those that replace them, the newest with the highest number,
//	                until they alone count (type Keyring)
//	validator.toml  the public keys, for the genesis
//	data/           the store, mode 0700, held by one process at a time
//	node.log        what the process printed, when it runs detached
//
// Files are replaced atomically: a reader, or a machine that loses power, sees
// the old content or the new one. A key that is not known is an error, since a
// misspelt setting that is silently ignored is worse than a refusal.
package config
