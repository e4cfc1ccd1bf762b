package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
)

func (a *app) renewCommand() *cobra.Command {
	lease := patience(time.Hour)
	cmd := &cobra.Command{
		Use:     "renew ID...",
		Short:   "Renew leases of entries, registrations or transactions, by the id that was printed",
		Example: "  gospaces renew 17 18 --lease 10m\n  gospaces renew default/19 --lease 10m               a transaction",
		Args:    operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lease < 0 {
				return usage("--lease must not be negative")
			}
			return a.withLeases(cmd.Context(), args, func(sp space.Space, ids []space.LeaseID) error {
				granted, err := sp.Renew(cmd.Context(), time.Duration(lease), ids...)
				for _, g := range granted {
					if left := patience(g.Granted); left > 0 { // otherwise it had ended, and err names it
						err = errors.Join(err, a.printJSON(written{g.ID, left.String()}))
					}
				}
				return err
			})
		},
	}
	cmd.Flags().Var(&lease, "lease", "how long from now: 10m, forever")
	return cmd
}

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel ID...",
		Short:   "End leases at once: entries are removed, registrations end, transactions are aborted",
		Example: "  gospaces cancel 17\n  gospaces cancel default/19                          a transaction",
		Args:    operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLeases(cmd.Context(), args, func(sp space.Space, ids []space.LeaseID) error {
				return sp.Cancel(cmd.Context(), ids...)
			})
		},
	}
}

// parseIDs parses the identities of leases, which are numbers.
func parseIDs(args []string) ([]space.LeaseID, error) {
	ids := make([]space.LeaseID, len(args))
	for i, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return nil, usage("%q is not the id of a registration, which is a number", arg)
		}
		ids[i] = space.LeaseID(n)
	}
	return ids, nil
}

// withLeases calls do with the space and the parsed identities.
func (a *app) withLeases(ctx context.Context, args []string, do func(space.Space, []space.LeaseID) error) error {
	ids := make([]space.LeaseID, len(args))
	for i, arg := range args {
		id, err := parseTxn(arg) // which is a number as well
		switch {
		case err != nil:
			return usage("%q is not the id of a lease: that is a number, which write prints, or SPACE/NUMBER of a transaction",
				arg)
		case id.Space != "" && id.Space != a.space:
			return usage("transaction %s is of another space than %q: use --space %s", arg, a.space, id.Space)
		}
		ids[i] = space.LeaseID(id.Number)
	}
	return a.withKnownSpace(ctx, func(sp space.Space) error { return do(sp, ids) })
}
