package api_test

import (
	"context"
	"fmt"

	"ios/node/api"
)

// A program that follows a shard reads the outcomes of each block. When the
// stream breaks, Follow opens it again at the height where it stopped.
func ExampleClient_Follow() {
	c := api.NewClient("http://127.0.0.1:1", api.ClientConfig{Attempts: 1})
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	err := c.Follow(ctx, api.Follow{From: 1, Lost: func(error) { cancel() }}, func(ev api.Event) error {
		if b := ev.Block; b != nil {
			for i := range b.Outcomes.Len() {
				id, outcome := b.Outcomes.At(i)
				fmt.Println(b.Height, id, outcome)
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output: context canceled
}
