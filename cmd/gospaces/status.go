package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Print what the server says about itself: spaces, their entries, log, mirror",
		Args:  noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
				status, err := c.Status(cmd.Context())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.stdout, "%s\n", status)
				return err
			})
		},
	}
}
