package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"ios/chain"
	"ios/chain/sig"
)

// wallet is an owner of coins.
type wallet struct {
	key  *sig.Key
	addr chain.Address
}

// walletsPerShard is how many owners live in each shard, and coinsPerWallet how
// many coins the genesis gives to each.
const (
	walletsPerShard = 5
	coinsPerWallet  = 3
)

// coin is an output that somebody may spend.
type coin struct {
	chain.OutPoint
	owner  *wallet
	amount uint64
}

// makeWallets makes the owners of every shard.
func makeWallets(shards int) ([][]*wallet, error) {
	list := make([][]*wallet, shards)
	for n, missing := uint64(0), shards; missing > 0; n++ {
		seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("simnet owner"), n))
		key, err := sig.FromSeed(seed[:])
		if err != nil {
			return nil, err
		}
		public := [32]byte(key.Public())
		a := chain.AddressOf(&public)
		s := a.Shard(shards)
		if len(list[s]) == walletsPerShard {
			continue
		}
		if list[s] = append(list[s], &wallet{key, a}); len(list[s]) == walletsPerShard {
			missing--
		}
	}
	return list, nil
}

// allocate gives every owner its coins.
func (n *Net) allocate() (allocations []chain.Output) {
	tx := chain.AllocationTx(n.params.ChainID)
	for s := range n.wallets {
		for _, w := range n.wallets[s] {
			for range coinsPerWallet {
				amount := (100 + 50*uint64(len(allocations)%7)) * max(1, n.plan.Wealth)
				op := chain.OutPoint{Tx: tx, Index: uint32(len(allocations))}
				allocations = append(allocations, chain.Output{Owner: w.addr, Amount: amount})
				n.supply += amount
				n.judge.born(op, chain.Output{Owner: w.addr, Amount: amount})
				n.purse[s] = append(n.purse[s], coin{op, w, amount})
			}
		}
	}
	return allocations
}

// sign makes the transaction complete.
func (n *Net) sign(t *chain.Tx, spend []coin) *chain.Tx {
	n.params.Seal(t)
	var signed []*wallet
	t.Witnesses = nil
	for _, c := range spend {
		if !slices.Contains(signed, c.owner) {
			signed = append(signed, c.owner)
			t.Witnesses = append(t.Witnesses, chain.Witness{PublicKey: c.owner.key.Public(), Signature: c.owner.key.Sign(chain.SignedBytes(t.ID))})
		}
	}
	n.params.Seal(t)
	return t
}

func (n *Net) walletOf(a chain.Address) *wallet {
	for _, w := range n.wallets[a.Shard(n.params.Shards)] {
		if w.addr == a {
			return w
		}
	}
	return nil
}
