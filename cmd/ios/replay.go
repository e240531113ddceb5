package main

import (
	"errors"

	"github.com/spf13/cobra"

	"ios/node/load"
)

func replay(cmd *cobra.Command, c *load.Config, file string) error {
	return errors.New("not built yet")
}
