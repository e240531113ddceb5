package load

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"

	"ios/chain"
	"ios/chain/sig"
)

// owner is a payer or payee of the load.
type owner struct {
	key     *sig.Key
	address chain.Address
}

func newOwner(seed []byte) (owner, error) {
	k, err := sig.FromSeed(seed)
	if err != nil {
		return owner{}, err
	}
	public := k.Public()
	return owner{k, chain.AddressOf((*[32]byte)(&public))}, nil
}

// newOwners makes n owners in each of the shards.
func newOwners(n, shards int) ([][]owner, error) {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	owners := make([][]owner, shards)
	buf := append([]byte("ios/load/owner"), seed[:]...)
	for i, missing := uint64(0), n*shards; missing > 0; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(buf, i))
		o, err := newOwner(sum[:])
		if err != nil {
			return nil, err
		}
		if s := o.address.Shard(shards); len(owners[s]) < n {
			owners[s] = append(owners[s], o)
			missing--
		}
	}
	return owners, nil
}

// parallel runs f over chunks of 0 to n-1 on all cores.
func parallel(n int, f func(from, to int)) {
	const chunk = 1000
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for from := range next {
				f(from, min(from+chunk, n))
			}
		})
	}
	for from := 0; from < n; from += chunk {
		next <- from
	}
	close(next)
	wg.Wait()
}
