package devnet

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"ios/chain"
	"ios/chain/sig"
)

// FaucetKeys are the keys that own a test network's allocations: for each shard
// the first key of the sequence SHA-256(tag ‖ seed ‖ n) whose address lies in
// that shard.
func FaucetKeys(seed []byte, shards int) ([]*sig.Key, error) {
	keys, missing := make([]*sig.Key, shards), shards
	buf := append([]byte("ios/faucet/v1"), seed...)
	for n := uint64(0); missing > 0; n++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(buf, n))
		k, err := sig.FromSeed(sum[:])
		if err != nil {
			return nil, err
		}
		public := k.Public()
		s := chain.AddressOf((*[32]byte)(&public)).Shard(shards)
		if keys[s] == nil {
			keys[s] = k
			missing--
		}
	}
	return keys, nil
}

// Faucet reads the network's faucet.
func (n *Network) Faucet() ([]*sig.Key, error) {
	path := n.faucetFile()
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the network has no faucet here: %w; only whoever has its key can pay from it", err)
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != 32 {
		return nil, fmt.Errorf("%s: 64 hexadecimal digits are wanted", path)
	}
	return FaucetKeys(seed, n.Genesis.Shards)
}
