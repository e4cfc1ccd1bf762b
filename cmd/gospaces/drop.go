package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
)

func (a *app) dropKindCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "drop KIND...",
		Short: "Forget kinds that have no entries: their names are free for other fields",
		Long: `Forget kinds that have no entries: their names are free for other fields.

A kind that has entries is refused, and so is one that other kinds embed. Programs that wait for entries of the
kind go on waiting. The command asks for the name of each kind again, unless it is told --yes.`,
		Example: "  gospaces kinds drop job\n  gospaces kinds drop job result --yes",
		Args:    operands(1, -1),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, kinds []string) error {
		ctx := cmd.Context()
		return a.withKnownSpace(ctx, func(sp space.Space) error {
			answers := bufio.NewReader(a.stdin)
			for _, kind := range kinds {
				if err := a.hintKind(ctx, sp, kind); err != nil {
					return err
				}
				if schema, err := sp.Schema(ctx, kind); err != nil || schema == nil {
					return cmp.Or(err, space.ErrNoMatch)
				}
				if !yes {
					if err := a.confirm(answers, fmt.Sprintf("kind %q of space %q", kind, a.space), kind); err != nil {
						return err
					}
				}
				if err := sp.Drop(ctx, kind); err != nil {
					return err
				}
				if err := a.printJSON(map[string]string{"dropped": kind}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

// errNotConfirmed ends a command that the user did not confirm.
var errNotConfirmed = errors.New("not confirmed: nothing was dropped; --yes does not ask")

// confirm asks the user to type the name of the space or kind to be dropped.
func (a *app) confirm(answers *bufio.Reader, what, name string) error {
	fmt.Fprintf(a.stderr, "Drop %s? Type its name to confirm: ", what)
	answer, _ := answers.ReadString('\n')
	if strings.TrimSpace(answer) != name {
		return errNotConfirmed
	}
	return nil
}
