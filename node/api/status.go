package api

import (
	"time"

	"ios/chain"
)

// Phases of a validator.
const (
	PhaseStarting  = "starting"
	PhaseReplaying = "replaying" // its own log
	PhaseSyncing   = "syncing"   // from its peers
	PhaseFollowing = "following" // it has the newest blocks, and no seat
	PhaseReady     = "ready"
	PhaseStalled   = "stalled" // its shard makes no blocks, though there is work
	PhaseStopped   = "stopped"
)

// NoShard is the reason why a validator without a seat is not ready.
const NoShard = "it takes part in no shard"

// Status tells who a validator is and how it is in a shard.
type Status struct {
	ChainID   chain.Hash        `json:"chain_id"`
	Network   string            `json:"network"`
	Shard     chain.ShardID     `json:"shard"`
	Shards    int               `json:"shards"`
	Validator chain.ValidatorID `json:"id"`
	Name      string            `json:"name"`
	PID       int               `json:"pid"`
	Version   string            `json:"version"`
	Started   time.Time         `json:"started"`

	Phase      string  `json:"state"`
	Percent    float64 `json:"percent"`               // of the phase
	Reason     string  `json:"reason"`                // why it is not ready
	WaitsFor   string  `json:"waits_for,omitempty"`   // the peer
	NextAction string  `json:"next_action,omitempty"` // its own next, or the operator's

	Height    uint64            `json:"height"`
	BlockTime time.Time         `json:"block_time"` // of the last final block
	View      uint64            `json:"view"`
	Leader    chain.ValidatorID `json:"leader"`
	Epoch     uint64            `json:"epoch"`

	Memberships []Membership `json:"memberships"` // in the order in which it joined
	Coming      *Coming      `json:"coming,omitempty"`
	Registry    *Funds       `json:"registry,omitempty"`

	Peers     []Peer    `json:"peers"`
	Mempool   Mempool   `json:"mempool"`
	Supply    Supply    `json:"supply"`
	Resources Resources `json:"resources"`
}

// Membership is a shard that a validator takes part in.
type Membership struct {
	Shard  chain.ShardID `json:"shard"`
	Phase  string        `json:"state"`
	Reason string        `json:"reason,omitempty"` // why it is not ready
	Height uint64        `json:"height"`

	Epoch      uint64   `json:"epoch"` // of the next block
	Batch      uint32   `json:"batch"`
	Batches    uint32   `json:"batches"`              // of the epoch
	Absent     []string `json:"absent,omitempty"`     // whose seats are empty, so that batches may wait
	Transition string   `json:"transition,omitempty"` // what it waits for, if it comes into the shard
}

// Peer is a validator as another one sees it.
type Peer struct {
	Validator chain.ValidatorID `json:"id"`
	Name      string            `json:"name"`
	Shard     chain.ShardID     `json:"shard"`
	Connected bool              `json:"connected"`
	LastHeard time.Time         `json:"last_heard"`
	Queued    uint64            `json:"queued_bytes"`
	Dropped   uint64            `json:"dropped"` // messages
	Error     string            `json:"error,omitempty"`
}

// Mempool is what waits for a block.
type Mempool struct {
	Txs      uint64 `json:"transactions"`
	Bytes    uint64 `json:"bytes"`
	Capacity uint64 `json:"capacity"` // transactions
}

// Supply is what a shard accounts for. Over all shards and the registry the sum of
// Value less the sum of Between is the genesis supply.
type Supply struct {
	Value   uint64 `json:"value"`   // coins, locks and fees, in base units
	Between int64  `json:"between"` // net inflow by committed cross-shard transactions, modulo 2^64
	Open    uint64 `json:"open"`    // transactions without a final outcome
	Fees    uint64 `json:"fees"`    // part of Value
	Coins   uint64 `json:"coins"`   // number of unspent outputs
}

// Funds are what the registry accounts for on the identity chain. What it has less
// Between are the stakes of the genesis.
type Funds struct {
	Height    uint64 `json:"height"`    // of the identity chain
	Staked    uint64 `json:"staked"`    // by registered validators
	Unbonding uint64 `json:"unbonding"` // comes back in a later epoch
	Credit    uint64 `json:"credit"`    // of keys, to pay stakes with
	Due       uint64 `json:"due"`       // paid out to shards that are not known to have taken it
	Between   int64  `json:"between"`   // what shards paid in less what they took, modulo 2^64
}

// Value is all that the registry has.
func (f *Funds) Value() uint64 { return f.Staked + f.Unbonding + f.Credit + f.Due }

// Resources is what the process uses.
type Resources struct {
	CPUSeconds float64 `json:"cpu_seconds"` // user and system, since it began
	RSS        uint64  `json:"rss_bytes"`
	Disk       uint64  `json:"disk_bytes"` // of the data directory
	Goroutines uint64  `json:"goroutines"`
}
