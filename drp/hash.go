package drp

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"ios/chain"
)

var be = binary.BigEndian

// Tags keep the domains of hashes and signatures apart.
const (
	tagSetup     = "ios/drp-setup/v1"
	tagGroup     = "ios/drp-group/v1"
	tagSession   = "ios/drp-session/v1"
	tagContent   = "ios/drp-dealing-content/v1"
	tagDealing   = "ios/drp-dealing/v1"
	tagSignature = "ios/drp-dealing-signature/v1"
	tagChoice    = "ios/drp-choice/v1"
	tagOutput    = "ios/drp-output/v1"
	tagSigBatch  = "ios/drp-signature-batch/v1"
)

// writer hashes behind a length-prefixed tag.
type writer struct{ hash.Hash }

func newWriter(tag string) writer {
	h := sha256.New()
	h.Write([]byte{byte(len(tag))})
	h.Write([]byte(tag))
	return writer{h}
}

func (w writer) u16(n uint16) {
	var b [2]byte
	be.PutUint16(b[:], n)
	w.Write(b[:])
}

func (w writer) u64(n uint64) {
	var b [8]byte
	be.PutUint64(b[:], n)
	w.Write(b[:])
}

func (w writer) sum() (h chain.Hash) {
	w.Sum(h[:0])
	return h
}

// stream is SHA-256 in counter mode: what a batch of signatures takes its
// coefficients from. Its seed is a hash of all that they multiply, see package
// pvss for why that is safe.
type stream struct {
	seed    chain.Hash
	counter uint64
	left    []byte
}

// Read never fails.
func (s *stream) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		if len(s.left) == 0 {
			block := sha256.Sum256(be.AppendUint64(s.seed[:len(s.seed):len(s.seed)], s.counter))
			s.left = block[:]
			s.counter++
		}
		k := copy(p[n:], s.left)
		s.left = s.left[k:]
		n += k
	}
	return len(p), nil
}
