package bitcoin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// MaxBytes bounds a file; Bitcoin's own limit is 4 MB a block.
const MaxBytes = 8 << 20

// Hash is a double SHA-256. Its text is in reverse order, by Bitcoin's habit.
type Hash [32]byte

// String is h as Bitcoin's tools show it.
func (h Hash) String() string {
	var r Hash
	for i := range h {
		r[i] = h[31-i]
	}
	return hex.EncodeToString(r[:])
}

// OutPoint names an output.
type OutPoint struct {
	Tx    Hash
	Index uint32
}

// Input spends an output.
type Input struct {
	Previous OutPoint
	Script   []byte   // signature script
	Witness  [][]byte // SegWit
}

// Output gives an amount, in satoshi, to whoever satisfies the script.
type Output struct {
	Amount uint64
	Script []byte
}

// Tx is a transaction.
type Tx struct {
	ID      Hash
	Inputs  []Input
	Outputs []Output
}

// Coinbase reports whether the transaction makes new coins.
func (t *Tx) Coinbase() bool {
	return len(t.Inputs) == 1 && t.Inputs[0].Previous == OutPoint{Index: 1<<32 - 1}
}

// Block is a block; its slices alias what Parse was given.
type Block struct {
	Hash Hash
	Txs  []Tx
}

// ErrFormat is in every error about what the bytes hold.
var ErrFormat = errors.New("not a Bitcoin block")

var magic = []byte{0xf9, 0xbe, 0xb4, 0xd9} // of the main network's blk files

// Smallest encodings, in bytes, which bound what a count may claim.
const (
	minTx     = 4 + 1 + minInput + 1 + minOutput + 4
	minInput  = 36 + 1 + 4
	minOutput = 8 + 1
)

const maxMoney = 21_000_000 * 100_000_000

// Parse reads one block.
func Parse(raw []byte) (*Block, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrFormat, len(raw), MaxBytes)
	}
	if bytes.HasPrefix(raw, magic) && len(raw) >= 8 {
		n := binary.LittleEndian.Uint32(raw[4:])
		if uint64(n) > uint64(len(raw)-8) {
			return nil, fmt.Errorf("%w: the frame announces %d bytes, %d are there", ErrFormat, n, len(raw)-8)
		}
		if left := len(raw) - 8 - int(n); left > 0 {
			return nil, fmt.Errorf("%w: %d bytes follow the first block; cut the file to one block", ErrFormat, left)
		}
		raw = raw[8:]
	}
	r := &reader{buf: raw}
	header := r.bytes(80)
	n := r.count(minTx)
	b := &Block{Txs: make([]Tx, 0, n)}
	for range n {
		if r.err != nil {
			break
		}
		b.Txs = append(b.Txs, r.tx())
	}
	if r.err == nil && r.off != len(raw) {
		r.fail("%d bytes are left over after the last transaction", len(raw)-r.off)
	}
	if r.err != nil {
		return nil, r.err
	}
	b.Hash = double(header)
	if root := b.merkleRoot(); !bytes.Equal(root[:], header[36:68]) {
		return nil, fmt.Errorf("%w: its %d transactions hash to %v, the header says %v", ErrFormat, n, root, Hash(header[36:68]))
	}
	return b, nil
}

func double(b []byte) Hash {
	h := sha256.Sum256(b)
	return sha256.Sum256(h[:])
}

// merkleRoot is Bitcoin's: an odd node is paired with itself.
func (b *Block) merkleRoot() Hash {
	if len(b.Txs) == 0 {
		return Hash{}
	}
	level := make([]Hash, len(b.Txs))
	for i := range b.Txs {
		level[i] = b.Txs[i].ID
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := range len(level) / 2 {
			level[i] = double(append(append(make([]byte, 0, 64), level[2*i][:]...), level[2*i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	return level[0]
}
