package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
)

func (a *app) countCommand() *cobra.Command {
	var f selectionFlags
	var under txnFlag
	cmd := &cobra.Command{
		Use:   "count [KIND [JSON]]",
		Short: "Print how many entries match; without a kind, how many there are",
		Example: `  gospaces count
  gospaces count job '{"state": "new"}' --where 'priority >= 5'`,
		Args: cobra.MaximumNArgs(2),
	}
	f.add(cmd)
	under.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := f.selection(args)
		if err != nil {
			return err
		}
		return a.withSpace(cmd.Context(), func(sp space.Space) error {
			q, err := a.query(cmd.Context(), sp, sel, false)
			if errors.Is(err, space.ErrNoMatch) {
				return a.printJSON(0)
			}
			if err != nil {
				return err
			}
			q.Txn = under.of(a.space)
			n, err := sp.Count(cmd.Context(), q)
			if err != nil {
				return err
			}
			return a.printJSON(n)
		})
	}
	return cmd
}
