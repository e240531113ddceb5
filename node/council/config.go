package council

import (
	"io"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/chain/vrf"
	"ios/drp/pvss"
	"ios/pob/byzcoin"
)

// Keys are the validator's own.
type Keys struct {
	Voice byzcoin.Voice
	VRF   vrf.Secret
	PVSS  pvss.SecretKey
}

// Config is what a Core is made from.
type Config struct {
	Genesis *chain.Genesis
	// Self is our place in the registry. Who has none yet follows the chain under
	// a number that no validator has.
	Self chain.ValidatorID
	// Keys finds those that we are registered with in an epoch, by the signing key
	// among them. In epochs in which they are not here, since they were rotated, we
	// follow the chain without a voice. It may find more later, and never other keys.
	Keys func(signing sig.PublicKey) (Keys, bool)
	// Random is secret and never the same again: what is dealt comes from it.
	Random io.Reader
	// Policy is the agreement's.
	Policy byzcoin.Policy
	// Sources are validators that should have the newest blocks. The members of
	// each epoch that becomes known take their place.
	Sources []chain.ValidatorID
	// Anchors are the blocks that the records of epochs are outcomes of, as far as
	// the owner has records; nil: none.
	Anchors byzcoin.Anchors
	// RoundTime is how long a leader of the beacon has in the first view; 0 for
	// 16 Delta and 8 block intervals of the genesis.
	RoundTime time.Duration
}

func (c *Config) voice(signing sig.PublicKey) (byzcoin.Voice, bool) {
	k, ok := c.Keys(signing)
	return k.Voice, ok
}

func (c *Config) roundTime() time.Duration {
	if c.RoundTime > 0 {
		return c.RoundTime
	}
	p := &c.Genesis.Policy
	return min(16*c.delta()+8*p.BlockInterval, time.Hour)
}

// patience is how long a leader and those who judge its seed wait for the shards'
// blocks and for signs of life, and one member of a shard for the one before it. It
// leaves a block and the way there.
func (c *Config) patience() time.Duration { return c.roundTime() / 4 }

func (c *Config) delta() time.Duration { return max(c.Genesis.Policy.Delta, time.Millisecond) }
