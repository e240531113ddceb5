package cosi_test

import (
	"fmt"

	"ios/chain/cosi"
)

// A committee of four certifies a block; one of them is silent.
func Example() {
	var scheme cosi.BLS
	var secrets []cosi.Secret
	var keys []cosi.PublicKey
	for i := range 4 {
		seed := make([]byte, cosi.MinSeedSize) // from a random source, in earnest
		seed[0] = byte(i)
		secret, err := cosi.SecretFromSeed(seed)
		if err != nil {
			panic(err)
		}
		key, err := scheme.Public(secret)
		if err != nil {
			panic(err)
		}
		// Once, when a validator registers: the others check its proof.
		proof, err := scheme.Prove(secret)
		if err != nil {
			panic(err)
		}
		if err := scheme.VerifyPossession(key, proof); err != nil {
			panic(err)
		}
		secrets, keys = append(secrets, secret), append(keys, key)
	}
	committee, err := scheme.NewCommittee(keys)
	if err != nil {
		panic(err)
	}

	msg := []byte("domain, chain, shard, epoch, batch, height, view, phase, hash")
	round := cosi.NewCollector(committee, msg)
	for _, seat := range []int{0, 1, 3} {
		share, err := scheme.Sign(secrets[seat], msg)
		if err != nil {
			panic(err)
		}
		if err := round.AddShare(seat, share); err != nil {
			panic(err)
		}
	}
	cert, culprits, err := round.Certificate()
	fmt.Println("certificate of", cert.Mask, "seats, wrong:", culprits, "error:", err)
	fmt.Println("on the wire:", len(cert.AppendTo(nil)), "bytes")
	fmt.Println("verifies:", committee.Verify(msg, cert) == nil)
	// Output:
	// certificate of 3 of 4 seats, wrong: [] error: <nil>
	// on the wire: 51 bytes
	// verifies: true
}
