// Package wallet keeps keys, builds and signs transactions, and brings
// transfers to their end. It needs no node on its machine: it talks to the
// validators' client API, believes outcomes only with their proofs, and can
// be imported by other programs.
//
// # Keys
//
// A wallet is 24 words of BIP-39. Their seed, with an empty BIP-39 passphrase,
// gives Ed25519 keys by SLIP-0010 along
//
//	m / 44' / coin' / 0' / index'
//
// with coin 1 on test networks and 4804435 ("IOS") elsewhere. An address lives
// in the shard that its top bits name, so an address in a wanted shard is the
// next index whose address lies there. The indexes in use are in the wallet
// file; from the words alone [Wallet.Recover] finds those that hold coins by
// trying the indexes in order.
//
// A wallet belongs to one network. One that was made for [AnyNetwork] belongs to the
// first that it is opened on: its address can be in that network's genesis.
//
// # Files
//
// A wallet's directory holds wallet.age, encrypted with the passphrase by age
// and its scrypt, and sent.jsonl, the journal of transfers: a transaction is in
// the journal, on disk, before it is sent, so whatever happens later it can be
// followed and finished, by [Wallet.Track] here or by [Remote.Track] on a
// machine that has nothing but the transaction's id. The journal holds no
// secret.
//
// # Money
//
// A balance is what validators of each shard list as the owner's coins. A shard
// that cannot be asked has an unknown balance, with the reason, and never zero.
// Coins that an unfinished transfer of the journal spends are left out when the
// next one is built.
package wallet
