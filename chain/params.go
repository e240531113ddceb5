package chain

// Params is what the rules need to know of a chain. Genesis.Params makes it.
type Params struct {
	ChainID Hash
	Prefix  string // of addresses
	Shards  int    // a power of two
	MinFee  uint64 // base units a transaction
	// MinStake is what the registry takes at least, in base units.
	MinStake uint64

	txPrefix []byte
}

// NewParams makes Params.
func NewParams(chainID Hash, prefix string, shards int, minFee uint64) *Params {
	tx := append([]byte{byte(len(tagTx))}, tagTx...)
	return &Params{
		ChainID: chainID, Prefix: prefix, Shards: shards, MinFee: minFee,
		txPrefix: append(tx, chainID[:]...),
	}
}
