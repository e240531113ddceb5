package transepoch

import "ios/chain"

// The kinds of this package's errors, for errors.Is.
const (
	ErrInput  chain.ErrorKind = "bad_transition" // an input that no plan can be made of
	ErrBatch  chain.ErrorKind = "no_such_batch"  // a shard or batch that the plan does not have
	ErrEnter  chain.ErrorKind = "bad_enter"      // an epoch that the shard cannot enter
	ErrRecord chain.ErrorKind = "bad_swap"       // a record that the shard cannot make now
	ErrReady  chain.ErrorKind = "bad_ready"      // a Ready that does not count
)
