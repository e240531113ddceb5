package atomix

import (
	"crypto/sha256"

	"ios/chain"
)

// CheckPayload checks all that a body's payload shows by itself: every
// transaction, and that bundles are for this shard and lead to their headers.
// What remains for others to check are the certificates ([Certificates]) and
// signatures ([Signatures]). A fault is the fault of the body's author; it does
// not depend on the ledger's state.
func CheckPayload(p *chain.Params, pl *chain.Payload, shard chain.ShardID, epoch uint64) error {
	for i := range pl.Txs {
		t := &pl.Txs[i]
		if err := p.CheckTx(t, epoch); err != nil {
			return err
		}
		if in := p.InputShards(t); !in.Has(shard) {
			return chain.Rule(chain.ErrWrongShard, "transaction %s has no input in shard %d; submit it where its inputs are", t.ID.Short(), shard)
		}
	}
	for _, b := range pl.Bundles {
		if err := b.Check(p, shard); err != nil {
			return err
		}
	}
	return nil
}

// Signatures appends to dst the transactions of a payload whose witnesses must
// be verified before this shard may vote for it: the clients' own, and those in
// bundles that have an input here. The witnesses of the others are vouched for
// by the shards that locked their inputs.
func Signatures(p *chain.Params, pl *chain.Payload, shard chain.ShardID, dst []*chain.Tx) []*chain.Tx {
	for i := range pl.Txs {
		dst = append(dst, &pl.Txs[i])
	}
	for _, b := range pl.Bundles {
		dst = BundleSignatures(p, b, shard, dst)
	}
	return dst
}

// BundleSignatures is Signatures for one bundle.
func BundleSignatures(p *chain.Params, b *chain.Bundle, shard chain.ShardID, dst []*chain.Tx) []*chain.Tx {
	for i := range b.Txs {
		if in := p.InputShards(&b.Txs[i]); in.Has(shard) {
			dst = append(dst, &b.Txs[i])
		}
	}
	return dst
}

// Certified is a header and the certificate that is said to make it final.
type Certified struct {
	Header *chain.Header
	Block  chain.Hash
	Cert   *chain.Certificate
	// Key names header and certificate together: a verdict may be kept under it.
	Key chain.Hash
}

// CertifiedBy is the header and certificate of a bundle.
func CertifiedBy(b *chain.Bundle) Certified {
	c := Certified{Header: &b.Header, Block: b.Header.Hash(), Cert: &b.Cert}
	buf := append(make([]byte, 0, 256), c.Block[:]...)
	c.Key = sha256.Sum256(b.Cert.AppendTo(buf))
	return c
}

// Certificates are the distinct certificates of a payload, in order.
func Certificates(pl *chain.Payload) []Certified {
	var list []Certified
next:
	for _, b := range pl.Bundles {
		c := CertifiedBy(b)
		for i := range list {
			if list[i].Key == c.Key {
				continue next
			}
		}
		list = append(list, c)
	}
	return list
}
