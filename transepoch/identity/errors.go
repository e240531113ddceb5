package identity

import (
	"crypto/sha256"
	"encoding/binary"

	"ios/chain"
)

var be = binary.BigEndian

// The kinds of this package's errors, for errors.Is.
const (
	ErrOp       chain.ErrorKind = "bad_registry_op" // an op that is wrong by itself
	ErrEpoch    chain.ErrorKind = "bad_epoch"       // a record that does not continue the book
	ErrSnapshot chain.ErrorKind = "bad_registry"    // a snapshot that no state has
)

// Tags keep the domains of hashes and signatures apart.
const (
	tagOp         = "ios/identity-op/v1"
	tagRegister   = "ios/identity-register/v1"
	tagRotate     = "ios/identity-rotate/v1"
	tagOrder      = "ios/identity-order/v1"
	tagSeed       = "ios/identity-seed/v1"
	tagFrozen     = "ios/identity-frozen/v1"
	tagEpoch      = "ios/identity-epoch/v1"
	tagTranscript = "ios/identity-transcript/v1"
	tagFirst      = "ios/identity-first-random/v1"
	tagVoid       = "ios/identity-void-random/v1"
	tagPayout     = "ios/identity-payout/v1"
)

// tagged hashes the parts behind a length-prefixed tag.
func tagged(tag string, parts ...[]byte) (h chain.Hash) {
	d := sha256.New()
	d.Write([]byte{byte(len(tag))})
	d.Write([]byte(tag))
	for _, p := range parts {
		d.Write(p)
	}
	d.Sum(h[:0])
	return h
}

func number(n uint64) []byte { return be.AppendUint64(nil, n) }

func appendIDs(dst []byte, ids []chain.ValidatorID) []byte {
	dst = be.AppendUint32(dst, uint32(len(ids)))
	for _, v := range ids {
		dst = be.AppendUint16(dst, uint16(v))
	}
	return dst
}

// readIDs reads an ascending list.
func readIDs(r *chain.Reader) []chain.ValidatorID {
	n := r.Count(chain.MaxValidators, 2)
	if n == 0 {
		return nil
	}
	ids := make([]chain.ValidatorID, n)
	for i := range ids {
		ids[i] = chain.ValidatorID(r.U16())
		if ids[i] >= chain.MaxPlaces || i > 0 && ids[i] <= ids[i-1] {
			r.Fail("validators are not in ascending order from 0 to %d", chain.MaxPlaces-1)
		}
	}
	return ids
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func readBool(r *chain.Reader) bool {
	n := r.U8()
	if n > 1 {
		r.Fail("%d where 0 or 1 is wanted", n)
	}
	return n == 1
}
