package council

import (
	"io"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/chain/vrf"
	"ios/drp/pvss"
	"ios/pob/byzcoin"
)

// Keys are the validator's own.
type Keys struct {
	Signing *sig.Key
	// Cosign makes our share of a collective signature.
	Cosign func(msg []byte) (cosi.Signature, error)
	VRF    vrf.Secret
	PVSS   pvss.SecretKey
	// Random is secret and never the same again: what is dealt comes from it.
	Random io.Reader
}

// Config is what a Core is made from.
type Config struct {
	Genesis *chain.Genesis
	// Self is our place in the registry. Who has none yet follows the chain under
	// a number that no validator has.
	Self chain.ValidatorID
	// Keys are those that we are registered with. In epochs in which we have other
	// ones, since they were rotated, we follow the chain without a voice.
	Keys Keys
	// Policy is the agreement's.
	Policy byzcoin.Policy
	// Sources are validators that should have the newest blocks. The members of
	// each epoch that becomes known take their place.
	Sources []chain.ValidatorID
	// RoundTime is how long a leader of the beacon has in the first view; 0 for
	// 16 Delta and 8 block intervals of the genesis.
	RoundTime time.Duration
}

func (c *Config) roundTime() time.Duration {
	if c.RoundTime > 0 {
		return c.RoundTime
	}
	p := &c.Genesis.Policy
	return min(16*c.delta()+8*p.BlockInterval, time.Hour)
}

func (c *Config) delta() time.Duration { return max(c.Genesis.Policy.Delta, time.Millisecond) }

// patience leaves a block and the way there.
func (c *Config) patience() time.Duration { return 4*c.delta() + 2*c.Genesis.Policy.BlockInterval }
