package drp_test

import (
	"fmt"

	"ios/chain"
	"ios/drp"
)

// The grouping follows from the configuration and the view: a leader has no say.
func ExampleGroups() {
	cfg := &drp.Config{ChainID: chain.Hash{1}, Epoch: 7, Previous: chain.Hash{2}, GroupSize: 8}
	for id := range 20 {
		cfg.Servers = append(cfg.Servers, drp.Server{ID: chain.ValidatorID(id)})
	}
	for view := range uint64(2) {
		for g, members := range drp.Groups(cfg, view) {
			fmt.Println("view", view, "group", g, members)
		}
	}
	// Output:
	// view 0 group 0 [0 7 8 9 10 11 12 13 14 15]
	// view 0 group 1 [1 2 3 4 5 6 16 17 18 19]
	// view 1 group 0 [0 2 5 8 9 10 11 15 16 18]
	// view 1 group 1 [1 3 4 6 7 12 13 14 17 19]
}
