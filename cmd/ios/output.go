package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// wantsJSON reports whether the result is to be one JSON object.
func wantsJSON(cmd *cobra.Command) bool {
	on, _ := cmd.Flags().GetBool("json")
	return on
}

// show prints the result of a command: one JSON object, or what text writes.
func show(cmd *cobra.Command, result any, text func(w io.Writer)) error {
	w := cmd.OutOrStdout()
	if !wantsJSON(cmd) {
		text(w)
		return nil
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the result as JSON: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// say prints progress, which is never part of the result.
func say(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}
