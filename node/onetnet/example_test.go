package onetnet_test

import (
	"fmt"
	"log"

	"ios/internal/sm"
	"ios/node/onetnet"
)

// A validator listens on a free port; another, who knows its address and
// identity, connects and sends.
func Example() {
	secret0, public0, err := onetnet.GenerateIdentity()
	if err != nil {
		log.Fatal(err)
	}
	secret1, public1, err := onetnet.GenerateIdentity()
	if err != nil {
		log.Fatal(err)
	}
	chain := [32]byte{1}
	received := make(chan string, 1)
	zero, err := onetnet.New(onetnet.Config{
		Self: 0, Secret: secret0, Chain: chain, Listen: "127.0.0.1:0",
		Handler: func(from sm.NodeID, payload []byte) {
			received <- fmt.Sprintf("%d says %s", from, payload)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer zero.Close()
	one, err := onetnet.New(onetnet.Config{
		Self: 1, Secret: secret1, Chain: chain, Listen: "127.0.0.1:0",
		Peers:   []onetnet.Peer{{ID: 0, Public: public0, Address: zero.Address()}},
		Handler: func(sm.NodeID, []byte) {},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer one.Close()
	// The first learns of the second as it does when a validator registers.
	if err := zero.SetPeers([]onetnet.Peer{{ID: 1, Public: public1, Address: one.Address()}}); err != nil {
		log.Fatal(err)
	}
	one.Send(0, []byte("hello, "), []byte("zero"))
	fmt.Println(<-received)
	// Output: 1 says hello, zero
}
