package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) spacesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spaces",
		Short: "Print the names of the server's spaces, or create one",
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
	cmd.AddCommand(a.createCommand())
	return cmd
}

func (a *app) createCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "create NAME...",
		Short:   "Create spaces; those that are there already stay as they are",
		Long:    "Create spaces; those that are there already stay as they are. A space is also created when a program first uses it.",
		Example: "  gospaces spaces create orders invoices",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
				for _, name := range names {
					if _, err := c.SpaceNamed(name).Kinds(cmd.Context()); err != nil {
						return fmt.Errorf("create space %q: %w", name, err)
					}
				}
				return nil
			})
		},
	}
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Print what the server says about itself: spaces, their entries, log, mirror",
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
