// Package bitcoin reads blocks of Bitcoin, bare or with the framing of blk
// files, so that real transactions with their shapes, owners and dependencies
// can be replayed on this ledger. It checks what makes a reading certain, which
// is that the transactions hash to the Merkle root in the header, and nothing of
// Bitcoin's own rules.
package bitcoin
