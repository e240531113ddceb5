package load

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/faucet"
)

// Config says what load Run makes.
type Config struct {
	Network *api.Network
	Faucet  *faucet.Faucet
	Members [][]chain.ValidatorID // by shard

	Window  time.Duration   // that is measured
	WarmUp  time.Duration   // before it
	Rate    float64         // transactions a second over all shards; 0 finds the highest
	Across  float64         // share of the transactions that end in another shard
	Shards  []chain.ShardID // whose owners pay
	Single  bool            // one transaction a request
	Clients int             // requests at a time per shard; 0 for the default
	Owners  int             // that pay, per shard; 0 for the default
	Target  time.Duration   // latency within a shard that the closed loop aims at; 0 for the default

	Progress func(string) // may be nil
}

// The defaults.
const (
	defaultOwners  = 1024
	defaultClients = 48   // with batches
	singleClients  = 1536 // with single transactions
	defaultTarget  = 400 * time.Millisecond
)

// Bounds of what is started.
const (
	maxOwners  = 1_000_000
	maxClients = 10_000
)

// maxTxs bounds what is prepared; each takes about 350 bytes here and 100 on
// every validator.
const maxTxs = 6_000_000

// Check reports what cannot be measured, and puts in the defaults.
func (c *Config) Check() error {
	switch {
	case c.Window < time.Second || c.Window > time.Hour:
		return fmt.Errorf("a window of %v; from a second to an hour can be measured", c.Window)
	case c.WarmUp < 0 || c.WarmUp > 10*time.Minute:
		return fmt.Errorf("a warm-up of %v; at most ten minutes make sense", c.WarmUp)
	case !(c.Rate >= 0 && c.Rate <= maxTxs): // nor is it none
		return fmt.Errorf("a rate of %v; it is between 0 and %d transactions a second", c.Rate, maxTxs)
	case !(c.Across >= 0 && c.Across <= 1):
		return fmt.Errorf("a share of %v across shards; it is between 0 and 1", c.Across)
	case c.Owners > maxOwners:
		return fmt.Errorf("%d owners in each shard; at most %d are made", c.Owners, maxOwners)
	case c.Clients > maxClients:
		return fmt.Errorf("%d requests at a time; at most %d are made", c.Clients, maxClients)
	case len(c.Shards) == 0:
		return errors.New("no shard is named")
	case c.Across > 0 && c.Faucet.Params.Shards == 1:
		return errors.New("there is only one shard, so nothing can go across; leave out --cross")
	}
	for _, s := range c.Shards {
		if int(s) >= c.Faucet.Params.Shards {
			return fmt.Errorf("there is no shard %d; the network has %d", s, c.Faucet.Params.Shards)
		}
	}
	if c.Owners <= 0 {
		c.Owners = defaultOwners
	}
	if c.Clients <= 0 {
		c.Clients = defaultClients
		if c.Single {
			c.Clients = singleClients
		}
	}
	if c.Target <= 0 {
		c.Target = defaultTarget
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return nil
}

// Report is what a run came to.
type Report struct {
	Seconds   float64 `json:"seconds"` // of the window
	Submitted int     `json:"submitted"`
	Final     int     `json:"final"`   // in every shard they involve
	Refused   int     `json:"refused"` // by validators, for good
	Lost      int     `json:"lost"`    // accepted, and never brought to an end

	TxPerS      float64 `json:"tx_per_s"` // submitted in the window and final when it ended
	LatencyMS   Latency `json:"latency_ms"`
	CPUPerTx    float64 `json:"cpu_us_per_tx"`      // of the validators, for each that became final in the window
	OwnCPUPerTx float64 `json:"load_cpu_us_per_tx"` // of this program
	Floor       float64 `json:"floor_tx_per_s"`
	Ratio       float64 `json:"ratio"` // of the rate to the floor

	CrossFinal   int     `json:"cross_final"`
	CrossAborted int     `json:"cross_aborted"`
	WithinMS     Latency `json:"within_ms"`   // latency of those within a shard
	CrossMS      Latency `json:"cross_ms"`    // of those across shards, until final in both
	DecisiveMS   Latency `json:"decisive_ms"` // until the first shard committed, after which none can abort

	SignatureUS float64 `json:"signature_us"` // t of the cost model
	Cores       int     `json:"cores"`
	Members     int     `json:"members"` // of the largest shard
	Conditions  string  `json:"conditions"`
	Shortfall   string  `json:"shortfall,omitempty"` // why the run says less than it should
}

// Err is not nil when the network broke a promise.
func (r *Report) Err() error {
	if r.Lost > 0 {
		return fmt.Errorf("%d transactions were accepted and are lost; look into the validators' logs", r.Lost)
	}
	return nil
}

// floor is the cost model's rate for this run.
func (c *Config) floor(t time.Duration) float64 {
	return Floor(runtime.NumCPU(), c.members(), t, c.Across)
}

func (c *Config) members() (m int) {
	for _, s := range c.touched() {
		m = max(m, len(c.Members[s]))
	}
	return m
}

// touched are the shards that the load involves.
func (c *Config) touched() []chain.ShardID {
	if c.Across == 0 {
		return c.Shards
	}
	all := make([]chain.ShardID, c.Faucet.Params.Shards)
	for i := range all {
		all[i] = chain.ShardID(i)
	}
	return all
}

// aim is the mean latency over all transactions that the closed loop steers for.
func (c *Config) aim() time.Duration { return time.Duration(float64(c.Target) * (1 + c.Across)) }

// surplus is how much more than the floor the closed loop prepares: cached keys
// can make validators faster than the model.
const surplus = 1.6

// planned is the number of transactions that are prepared for a shard.
func (c *Config) planned(t time.Duration) int {
	seconds := (c.Window + c.WarmUp).Seconds()
	rate := c.Rate
	if rate == 0 {
		rate = surplus * c.floor(t)
	}
	return int(rate*seconds/float64(len(c.Shards))) + 1
}
