package atomix

import (
	"ios/chain"
	"ios/chain/merkle"
)

// Report tells what executing one block came to. It does not change after
// Execute, and may be kept and read by other goroutines.
type Report struct {
	Height, Epoch uint64
	// Tree is what the block's header commits to.
	Tree chain.OutcomeTree
	// Hashes is the Merkle tree over the segments of Tree.
	Hashes *merkle.Tree

	// Outcomes are all outcomes that the shard recorded, in order of execution:
	// a transaction that the block opens and closes is there twice.
	Outcomes []chain.Entry
	// Skipped are the transactions of bodies that had no effect, in order.
	Skipped []Skipped

	// Opened are the transactions that the block left open or that it opened
	// and closed by different items, in order. Their Tx is shared with the state.
	Opened []Opened
	// Retold are the transactions, open or decided before, of which the block told
	// the other shards once more, see [State.Execute].
	Retold []chain.TxID
	// Heard are the answers of other shards that open transactions waited for.
	Heard []Heard
	// Closed are the transactions across shards that the block closed, whether
	// they had been open before or not.
	Closed []chain.Entry
	// Ignored counts the entries of bundles that had no effect, by reason.
	Ignored [skipEnd]int
}

// Skipped is a transaction without effect, and why.
type Skipped struct {
	ID     chain.TxID
	Reason Skip
}

// Opened is a transaction that waits for other shards' answers.
type Opened struct {
	Tx   *chain.Tx
	Told uint64       // height of the block that recorded the own answer
	Yes  chain.Shards // the shards that are known to have said yes, the own among them
}

// Heard is one answer.
type Heard struct {
	ID    chain.TxID
	Shard chain.ShardID
	All   bool // the shard committed: all have said yes
}
