package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
)

func (a *app) countCommand() *cobra.Command {
	var f selectionFlags
	var under txnFlag
	var held bool
	cmd := &cobra.Command{
		Use:   "count [KIND [JSON]]",
		Short: "Print how many entries match; without a kind, how many there are",
		Example: `  gospaces count
  gospaces count job '{"state": "new"}' --where 'priority >= 5'
  gospaces count job --held                           how many are being worked on`,
		Args: kindOperands(0, 2),
	}
	f.add(cmd)
	under.add(cmd)
	cmd.Flags().BoolVar(&held, "held", false,
		"only entries that transactions have taken; without it, only those that none has")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := f.selection(args)
		if err != nil {
			return err
		}
		if held && under.given() {
			return usage("--held tells what all transactions hold: it excludes --txn")
		}
		return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
			q, err := a.query(cmd.Context(), sp, sel, false)
			if errors.Is(err, space.ErrNoMatch) {
				return a.printJSON(0)
			}
			if err != nil {
				return err
			}
			q.Txn, q.Held = under.of(a.space), held
			n, err := sp.Count(cmd.Context(), q)
			if err != nil {
				return err
			}
			return a.printJSON(n)
		})
	}
	return cmd
}
