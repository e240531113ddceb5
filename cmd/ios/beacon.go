package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ios/chain/cosi"
	"ios/node/config"
	"ios/transepoch/beacon"
	"ios/transepoch/identity"
)

func newBeacon() *cobra.Command {
	return group("beacon", "Fetch and verify the random values that epochs begin with", newBeaconLatest(), newBeaconGet(), newBeaconVerify())
}

func newBeaconVerify() *cobra.Command {
	var genesis string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check an epoch's random value with the genesis file and nothing else",
		Long: `Check an epoch's random value with the genesis file and nothing else.

The file has the records of all epochs up to the one in question, each certified
by the members of the epoch before, and the transcript of the beacon's run. The
value is verified if the walk from the genesis leads to the epoch's record, and
the transcript to the value in it. No network is asked. The exit code is 3 if
anything does not hold.`,
		Example: "  ios beacon verify beacon-7 --genesis genesis.toml",
		Args:    oneArg("the file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := config.LoadGenesis(genesis)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("opening the beacon's file: %w", err)
			}
			defer f.Close()
			v, err := beacon.Verify(f, g, cosi.BLS{})
			if err != nil {
				return notVerified(args[0], err)
			}
			return show(cmd, v, func(w io.Writer) { writeValue(w, v) })
		},
	}
	cmd.Flags().StringVar(&genesis, "genesis", "genesis.toml", "the genesis file, which is all that is trusted")
	return cmd
}

// notVerified is a refusal unless the disk is to blame.
func notVerified(file string, err error) error {
	err = fmt.Errorf("%s is NOT verified: %w", file, err)
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return err
	}
	return &refusal{err}
}

func writeValue(w io.Writer, v *beacon.Value) {
	fmt.Fprintf(w, "the random value of epoch %d is verified\n", v.Epoch)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "  %-10s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("random", "%v", v.Random)
	line("chain", "%v", v.Chain)
	switch v.Course {
	case identity.First.String():
		line("from", "the genesis: the first epoch has no beacon")
		return
	case identity.Void.String():
		line("from", "the value before: the epoch is void, and everybody keeps its seat")
		line("silent", "%s", names(v.Silent))
	default:
		line("from", "a transcript of %d bytes, by %d validators", v.Bytes, v.Servers)
		line("dealt", "%s", names(v.Dealt))
		line("invalid", "%s", names(v.Invalid))
	}
	line("choice", "%v", v.Choice)
	line("signed off", "by block %d of the identity chain; view %d of the lottery", v.Height, v.View)
}

// names lists participants, by group where that is known.
func names(list []beacon.Participant) string {
	if len(list) == 0 {
		return "none"
	}
	var b strings.Builder
	group := -1
	for i, p := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if p.Group != group {
			group = p.Group
			fmt.Fprintf(&b, "group %d: ", group)
		}
		b.WriteString(p.Name)
	}
	return b.String()
}
