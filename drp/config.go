package drp

import (
	"errors"
	"fmt"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/drp/pvss"
)

// Bounds of a run. What a run's messages can measure follows from its servers and
// groups; a configuration that would exceed MaxChoice is refused.
const (
	MaxServers    = chain.MaxValidators
	MaxChoice     = 8 << 20  // bytes of a choice
	MaxTranscript = 15 << 20 // bytes of a transcript
	MaxSignOff    = 8 << 10  // bytes of a sign-off
	// OneGroup is how many servers always form a single group.
	OneGroup = 16
)

// Server is a participant: a validator of the frozen set whose keys count.
type Server struct {
	ID      chain.ValidatorID
	Key     pvss.PublicKey // shares are encrypted to it
	Signing sig.PublicKey  // dealings are signed with it
}

// Config is what all participants and verifiers of an epoch's run agree on.
type Config struct {
	ChainID  chain.Hash
	Epoch    uint64
	Previous chain.Hash // output of the epoch before
	Servers  []Server   // by ascending ID, no key twice
	// GroupSize is the least size of a group where there are more than OneGroup
	// servers.
	GroupSize int
	// VerifySignOff says whether the validators decided on the choice of a view.
	// It is a function of its arguments alone; of one epoch it must accept one
	// choice only, whatever the view.
	VerifySignOff func(view uint64, choice chain.Hash, signOff []byte) error
	// Delta is the assumed bound on the network's delay: who is asked has 2·Delta
	// to answer before it is asked again. Safety never depends on it.
	Delta time.Duration
	// Deadline is when a collector calls those who did not answer silent; 0 for
	// 8·Delta.
	Deadline time.Duration
}

// Check checks what does not need arithmetic on the keys. Those who registered
// keys have checked them and proofs of possession.
func (c *Config) Check() error {
	n := len(c.Servers)
	switch {
	case n < 1 || n > MaxServers:
		return fmt.Errorf("drp: %d servers, from 1 to %d are possible", n, MaxServers)
	case c.GroupSize < 1:
		return fmt.Errorf("drp: groups of %d servers", c.GroupSize)
	case c.VerifySignOff == nil:
		return errors.New("drp: nothing to verify a sign-off with")
	}
	keys, signing := make(map[pvss.PublicKey]bool, n), make(map[sig.PublicKey]bool, n)
	for i := range c.Servers {
		s := &c.Servers[i]
		switch {
		case i > 0 && s.ID <= c.Servers[i-1].ID:
			return fmt.Errorf("drp: server %d comes after server %d; ascending ids are wanted", s.ID, c.Servers[i-1].ID)
		case keys[s.Key] || signing[s.Signing]:
			return fmt.Errorf("drp: server %d has a key of another server", s.ID)
		}
		keys[s.Key], signing[s.Signing] = true, true
	}
	if size := choiceSize(n, c.GroupSize); size > MaxChoice {
		return fmt.Errorf("drp: a choice among %d servers in groups of %d has %d bytes, at most %d are possible; take smaller groups", n, c.GroupSize, size, MaxChoice)
	}
	return nil
}

func (c *Config) deadline() time.Duration {
	if c.Deadline > 0 {
		return c.Deadline
	}
	return 8 * c.Delta
}

// find is the place of a server in the list, or -1.
func (c *Config) find(id chain.ValidatorID) int {
	lo, hi := 0, len(c.Servers)
	for lo < hi {
		mid := (lo + hi) / 2
		if c.Servers[mid].ID < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(c.Servers) && c.Servers[lo].ID == id {
		return lo
	}
	return -1
}

// hash covers everything that participants must agree on.
func (c *Config) hash() chain.Hash {
	w := newWriter(tagSetup)
	w.Write(c.ChainID[:])
	w.u64(c.Epoch)
	w.Write(c.Previous[:])
	w.u64(uint64(c.GroupSize))
	w.u64(uint64(len(c.Servers)))
	for i := range c.Servers {
		s := &c.Servers[i]
		w.u16(uint16(s.ID))
		w.Write(s.Key[:])
		w.Write(s.Signing[:])
	}
	return w.sum()
}
