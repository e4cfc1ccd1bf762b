package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) spacesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "spaces",
		Short: "Print the names of the server's spaces",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
				names, err := c.Spaces(cmd.Context())
				for _, name := range names {
					if err := a.printJSON(name); err != nil {
						return err
					}
				}
				return err
			})
		},
	}
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Print what the server says about itself: spaces, log, mirror",
		Args:  cobra.NoArgs,
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
