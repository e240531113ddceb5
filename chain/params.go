package chain

// Params is what the rules need to know of a chain. Genesis.Params makes it.
type Params struct {
	ChainID Hash
	Prefix  string // of addresses
	Shards  int    // a power of two
	MinFee  uint64 // base units a transaction

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
