package cosi

import "encoding/hex"

// Sizes of the encodings, in bytes.
const (
	KeySize       = 96
	SignatureSize = 48
)

// PublicKey is the encoding of a public key. It is only known to be one once
// a scheme has parsed it.
type PublicKey [KeySize]byte

// Signature is the encoding of a share, of a sum of shares, or of a proof of
// possession.
type Signature [SignatureSize]byte

// String is the whole key in hexadecimal.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// String is the whole signature in hexadecimal.
func (s Signature) String() string { return hex.EncodeToString(s[:]) }

// Scheme is a signature whose shares add up. [BLS] is the one that is used;
// package cositest has a fast one for simulations.
type Scheme interface {
	// Public is the public key of a secret.
	Public(secret Secret) (PublicKey, error)
	// Sign is the share of a secret on a message.
	Sign(secret Secret, msg []byte) (Signature, error)
	// Prove proves possession of a secret to whoever has its public key.
	Prove(secret Secret) (Signature, error)
	// VerifyPossession checks a proof that Prove made. A key without one must
	// never enter a committee.
	VerifyPossession(key PublicKey, proof Signature) error
	// NewCommittee parses the keys of seats 0, 1, …: at least one, at most
	// MaxSeats, none twice. It does not ask for proofs of possession.
	NewCommittee(keys []PublicKey) (*Committee, error)
}

// Keys are the parsed keys of a committee: the part of a scheme that a
// [Committee] and a [Collector] are built on. Whoever implements a Scheme
// implements it, nobody else calls it.
type Keys interface {
	// Point parses a signature, with every check that needs neither key nor
	// message. The neutral element is refused.
	Point(sig Signature) (Point, error)
	// Encode is the opposite of Point.
	Encode(p Point) Signature
	// Sum adds points, at least one. It fails if they cancel out.
	Sum(points []Point) (Point, error)
	// Message prepares a message for any number of checks.
	Message(msg []byte) (Message, error)
	// Check reports whether p is the sum of the shares on m of the seats in
	// mask, which is of this committee and not empty.
	Check(mask Mask, m Message, p Point) bool
	// CheckAll reports whether Check holds for all claims, by one check of their
	// sum, each times its weight.
	CheckAll(claims []Claim) bool
	// Derive parses other keys, taking over those that are parsed here.
	Derive(keys []PublicKey) (Keys, error)
}

// Claim is what Check is asked, with a weight that whoever made the claim could not
// choose.
type Claim struct {
	Mask    Mask
	Message Message
	Point   Point
	Weight  [16]byte // a number, in big endian
}

// Point is a signature as its scheme computes with it. It does not change.
type Point any

// Message is a message as its scheme computes with it. It does not change.
type Message any
