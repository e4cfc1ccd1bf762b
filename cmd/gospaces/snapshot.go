package main

import (
	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot",
		Short: "Take a snapshot of the space now",
		Long: `Take a snapshot of the space now, and print the position in the log of the last change that it includes.

A server takes snapshots by itself, so that a restart reads little of the log and the log stays small. The space
goes on to serve meanwhile. The last two are kept in the server's data folder.`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
				position, err := c.Snapshot(cmd.Context())
				if err != nil {
					return err
				}
				return a.printJSON(map[string]uint64{"position": position})
			})
		},
	}
}
