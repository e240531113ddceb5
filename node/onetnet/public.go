package onetnet

import (
	"bytes"
	"crypto"
)

// PublicIdentity is the point of an identity's secret scalar: what the registry
// has for the validator. It fails for a secret that New would refuse.
func PublicIdentity(secret []byte) ([]byte, error) {
	id, err := parseIdentity(secret)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(id.public[:]), nil
}

// SignIdentity signs a message with an identity's secret scalar, as an Ed25519
// key would: who registers an identity shows so that it is its own. The message
// begins with a tag, which nothing that TLS signs begins with.
func SignIdentity(secret, message []byte) (signature [64]byte, err error) {
	id, err := parseIdentity(secret)
	if err != nil {
		return signature, err
	}
	raw, err := id.Sign(nil, message, crypto.Hash(0))
	copy(signature[:], raw)
	return signature, err
}
