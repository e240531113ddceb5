package onetnet

import "bytes"

// PublicIdentity is the point of an identity's secret scalar: what the registry
// has for the validator. It fails for a secret that New would refuse.
func PublicIdentity(secret []byte) ([]byte, error) {
	id, err := parseIdentity(secret)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(id.public[:]), nil
}
