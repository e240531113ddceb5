package cosi

import "errors"

// What can be wrong with what a stranger sent. Errors of this package wrap one
// of these and say the values.
var (
	// ErrKey says that bytes are no public key, or one that must not be used.
	ErrKey = errors.New("not a valid public key")
	// ErrSecret says that bytes are no secret key.
	ErrSecret = errors.New("not a valid secret key")
	// ErrPoint says that bytes are no signature at all, whoever signed what.
	ErrPoint = errors.New("not a valid signature encoding")
	// ErrSignature says that a signature is not that of its seats on the message.
	ErrSignature = errors.New("signature does not verify")
	// ErrMask says that a mask does not fit the committee, or names nobody.
	ErrMask = errors.New("not a valid mask")
	// ErrOverlap says that a seat has been counted already.
	ErrOverlap = errors.New("seat counted twice")
	// ErrQuorum says that too few seats signed.
	ErrQuorum = errors.New("no quorum")
	// ErrSeat says that a committee has no such seat.
	ErrSeat = errors.New("no such seat")
	// ErrEncoding says that bytes are cut short or have another form than the
	// canonical one.
	ErrEncoding = errors.New("not a canonical encoding")
)
