package onetnet

import (
	"testing"

	"ios/chain/sig"
)

func TestIdentitiesSignLikeEd25519(t *testing.T) {
	secret, public, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a registration")
	signature, err := SignIdentity(secret, message)
	if err != nil {
		t.Fatal(err)
	}
	key := sig.PublicKey(public)
	if !sig.Verify(&key, message, &signature) {
		t.Error("the signature is not good for the public identity")
	}
	if sig.Verify(&key, []byte("another"), &signature) {
		t.Error("it is good for another message")
	}
	if _, err := SignIdentity(make([]byte, 32), message); err == nil {
		t.Error("no secret signs")
	}
}
