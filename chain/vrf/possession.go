package vrf

import "fmt"

const tagPossession = "ios/vrf-possession/v1"

// possessionInput is what the proof of possession is over: no input of another
// use begins with this tag.
func possessionInput(key *PublicKey, context []byte) []byte {
	input := append([]byte{byte(len(tagPossession))}, tagPossession...)
	input = append(input, key[:]...)
	return append(input, context...)
}

// ProvePossession shows, to whoever registers the key, that its owner holds the
// secret. The context says what the key is registered for, the other keys of the
// owner among it, so that nobody can show the proof as his own.
func (s Secret) ProvePossession(context []byte) (Proof, error) {
	key := s.Public()
	return s.Prove(possessionInput(&key, context))
}

// VerifyPossession checks a key and the proof of its possession.
func (k *PublicKey) VerifyPossession(context []byte, proof *Proof) error {
	if err := k.Check(); err != nil {
		return err
	}
	if _, ok := k.Verify(possessionInput(k, context), proof); !ok {
		return fmt.Errorf("the proof of possession of VRF key %x is wrong", *k)
	}
	return nil
}
