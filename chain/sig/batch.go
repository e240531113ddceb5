package sig

import (
	"io"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/cache"
)

// ExpandedKeyBytes is what a cached key costs in memory.
const ExpandedKeyBytes = 2700

// Checker verifies many signatures at once. It keeps the expanded form of the
// keys it saw last, which saves about a fifth. It is not shared between
// goroutines.
type Checker struct {
	batch  *ed25519.BatchVerifier
	keys   *cache.Verifier // nil without a cache
	random io.Reader
}

// NewChecker makes a Checker that caches up to keys expanded keys. The random
// stream gives the coefficients of the batch equation and must be secret from
// those who sign.
func NewChecker(keys int, random io.Reader) *Checker {
	c := &Checker{batch: ed25519.NewBatchVerifier(), random: random}
	if keys > 0 {
		c.keys = cache.NewVerifier(cache.NewLRUCache(keys))
	}
	return c
}

// Add puts a signature into the batch.
func (c *Checker) Add(key *PublicKey, msg []byte, s *[64]byte) {
	if c.keys != nil {
		c.keys.AddWithOptions(c.batch, key[:], msg, s[:], options)
		return
	}
	c.batch.AddWithOptions(key[:], msg, s[:], options)
}

// CheckAll verifies what was added and empties the batch. It does not tell
// which signature is bad.
func (c *Checker) CheckAll() bool {
	defer c.batch.Reset()
	return c.batch.VerifyBatchOnly(c.random)
}

// Check verifies what was added and empties the batch. It returns nil when all
// are good, and one verdict per signature, in order, when one is not.
func (c *Checker) Check() (verdicts []bool) {
	defer c.batch.Reset()
	if c.batch.VerifyBatchOnly(c.random) {
		return nil
	}
	all, verdicts := c.batch.Verify(c.random)
	if all {
		return nil
	}
	return verdicts
}
