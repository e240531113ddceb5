package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ios/chain/sig"
	"ios/node/api"
	"ios/node/config"
	"ios/transepoch/identity"
)

func newNodeRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace a validator's keys",
		Long: `Replace a validator's keys for signing, votes, the lottery and the random beacon.
The identity key, by which others know its connections, stays.

New keys are put into the home, beside the old ones, before anything is ordered, and
the validator takes them up by itself in each chain when they count there; it need
not be started again. When no chain needs the old ones any more it deletes them.
An interrupted command may be given again: it goes on with the same keys.`,
		Example: "  ios node rotate --dir v3 --net devnet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := openApplicant(cmd)
			if err != nil {
				return err
			}
			result, err := a.rotate(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd, result, result.writeRotate)
		},
	}
	cmd.Flags().String("net", "", "folder of the network (default: where the home's genesis file is)")
	return cmd
}

func (a *applicant) rotate(ctx context.Context) (*joined, error) {
	v, err := config.LoadValidator(a.home.ValidatorFile())
	if err != nil {
		return nil, err
	}
	r, err := a.member(ctx)
	if err != nil {
		return nil, err
	}
	if r.Leaving || r.Gone {
		return nil, &refusal{fmt.Errorf("validator %s leaves, and needs no keys", r.Name)}
	}
	next, err := a.keys.Successor(r.Key)
	if err != nil {
		return nil, err
	}
	fresh, err := next.Validator(v.Name, v.Address, v.API)
	if err != nil {
		return nil, err
	}
	rotated := func(r *api.Registered) bool { return r.Rotation == fresh.Signing || r.Key == fresh.Signing }
	j, err := a.give(ctx, rotated, func(r *api.Registered, keys *config.Keys) (identity.Op, error) {
		return keys.Rotate(a.genesis.ID(), r.ID, r.Orders, next, fresh)
	})
	if err != nil {
		return nil, err
	}
	return j, a.home.SaveValidator(fresh)
}

func (j *joined) writeRotate(w io.Writer) {
	switch {
	case j.Height > 0:
		fmt.Fprintf(w, "the keys of validator %d (%s) are replaced, by block %d of the identity chain\n", j.ID, j.Name, j.Height)
	case j.Rotation == (sig.PublicKey{}):
		fmt.Fprintf(w, "the new keys of validator %d (%s) count\n", j.ID, j.Name)
		return
	default:
		fmt.Fprintf(w, "the keys of validator %d (%s) are being replaced already\n", j.ID, j.Name)
	}
	fmt.Fprintf(w, "  count from  epoch %d at the earliest; this is epoch %d\n", j.Counts, j.Epoch)
	fmt.Fprintf(w, "  leave it running, and keep all keys*.toml of its home until then\n")
}

func newNodeResume() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Bring a validator back that was left out for its absence",
		Long: `Bring a validator back that was left out of the network since it gave no sign of life
for some epochs. It has kept its stake. Start it before or after.`,
		Example: "  ios node resume --dir v3 --net devnet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := openApplicant(cmd)
			if err != nil {
				return err
			}
			back := func(r *api.Registered) bool { return r.Member || r.Waiting }
			result, err := a.give(cmd.Context(), back, func(r *api.Registered, keys *config.Keys) (identity.Op, error) {
				if !r.Shed() {
					return nil, &refusal{fmt.Errorf("validator %s has left; make a new home with: ios node init", r.Name)}
				}
				return keys.Resume(a.genesis.ID(), r.ID, r.Orders), nil
			})
			if err != nil {
				return err
			}
			return show(cmd, result, result.writeResume)
		},
	}
	cmd.Flags().String("net", "", "folder of the network (default: where the home's genesis file is)")
	return cmd
}

func (j *joined) writeResume(w io.Writer) {
	if j.Member {
		fmt.Fprintf(w, "validator %d (%s) is a member of epoch %d\n", j.ID, j.Name, j.Epoch)
		return
	}
	fmt.Fprintf(w, "validator %d (%s) comes back with epoch %d at the earliest; this is epoch %d\n", j.ID, j.Name, j.Counts, j.Epoch)
}
