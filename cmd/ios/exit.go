package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node/api"
	"ios/node/config"
	"ios/node/wallet"
)

// The exit codes.
const (
	codeOK      = 0
	codeFailure = 1
	codeUsage   = 2
	codeRefusal = 3
)

// usageError is a command line that means nothing.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// refusal is a request that was understood and that the rules forbid.
type refusal struct{ err error }

func (e *refusal) Error() string { return e.err.Error() }
func (e *refusal) Unwrap() error { return e.err }

// fault is a failure of this machine, whatever rule has found it.
type fault struct{ err error }

func (e *fault) Error() string { return e.err.Error() }
func (e *fault) Unwrap() error { return e.err }

// exitCode is the code that tells a script what kind of end this was.
func exitCode(err error) int {
	var usage *usageError
	var refused *refusal
	var failed *fault
	switch {
	case err == nil:
		return codeOK
	case errors.As(err, &usage):
		return codeUsage
	case errors.As(err, &failed):
		return codeFailure
	case errors.As(err, &refused):
		return codeRefusal
	case ruled(err):
		return codeRefusal
	}
	return codeFailure
}

// ruled reports whether err is a rule's verdict, here or on a validator, and not
// the state of some machine.
func ruled(err error) bool {
	for _, k := range []chain.ErrorKind{
		chain.ErrNotReady, chain.ErrFull, api.ErrBusy, api.ErrStopping, api.ErrUnreachable, api.ErrInternal, api.ErrSlow, wallet.ErrBalance, wallet.ErrDamaged,
	} {
		if errors.Is(err, k) {
			return false
		}
	}
	var rule *chain.RuleError
	var answer *api.Error
	return errors.As(err, &rule) || errors.As(err, &answer)
}

func describe(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted: " + err.Error()
	}
	return err.Error()
}

// usual makes usage errors of cobra's own.
func usual(cmd *cobra.Command, err error) error {
	var known *usageError
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, begin := range []string{"unknown command", "required flag", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), begin) {
			return usagef("%v; see: %s --help", err, cmd.CommandPath())
		}
	}
	return err
}

// unknownCommand is what is said to one, with those that may have been meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	meant := ""
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		meant = fmt.Sprintf("; %s may be meant", strings.Join(like, " or "))
	}
	return usagef("unknown command %q%s; see: %s --help", name, meant, cmd.CommandPath())
}

// flagged makes a usage error of a setting that cannot be used and that a flag has set.
func flagged(err error) error {
	var setting *config.SettingError
	if errors.As(err, &setting) {
		return usagef("--%s: %s", strings.ReplaceAll(setting.Key, "_", "-"), setting.Text)
	}
	return err
}

// noArgs refuses arguments; cobra's own errors would not be usage errors.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("the command takes no argument, but got %q; see: %s --help", args[0], cmd.CommandPath())
	}
	return nil
}

// oneArg wants just one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("the command wants one argument, %s, but got %d; see: %s --help", what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usagef("a command is wanted after %q; see: %s --help", cmd.CommandPath(), cmd.CommandPath())
		},
	}
	cmd.AddCommand(subs...)
	return cmd
}
