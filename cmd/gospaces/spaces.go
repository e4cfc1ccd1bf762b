package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

func (a *app) spacesCommand() *cobra.Command {
	cmd := a.listSpacesCommand("spaces")
	cmd.Short = "Print the names of the server's spaces, create one, or drop one"
	cmd.AddCommand(a.listSpacesCommand("list"), a.createCommand(), a.dropSpaceCommand())
	return cmd
}

func (a *app) listSpacesCommand(name string) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   name,
		Short: "Print the names of the server's spaces",
		Args:  noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), func(c *client.NodeClient) error {
				names, err := c.Spaces(cmd.Context())
				if err != nil {
					return err
				}
				a.hintUnfinished(cmd.Context(), c)
				return printRows(a, &l, "SPACE", names, func(name string) []any { return []any{name} })
			})
		},
	}
	l.add(cmd)
	return cmd
}

// hintUnfinished says on standard error which spaces of a cluster are not served before they are restored or loaded.
func (a *app) hintUnfinished(ctx context.Context, n *client.NodeClient) {
	_, st, err := a.readCluster(ctx, n)
	if err != nil {
		return // the server is alone
	}
	for _, p := range st.Partitions {
		if p.Filling && p.Partition == 0 {
			fmt.Fprintf(a.stderr, "gospaces: space %q: %s\n", p.Space, p.Why)
		}
	}
}

func (a *app) createCommand() *cobra.Command {
	var partitions, replicas int
	cmd := &cobra.Command{
		Use:   "create NAME...",
		Short: "Create spaces; those that are there already stay as they are",
		Long: `Create spaces; those that are there already stay as they are. A space is also created, with one partition,
when a program first writes to it.

A space of several partitions uses more than one core, and in a cluster more than one node. Entries go to
partitions by the field that their kind marks as its route, or else in turns. The number is for as long as the
space exists. What holds in each partition only is in section 10 of docs/semantics.md.

In a cluster as many nodes as there are replicas each have a copy of the space, and a majority of them must be
there for it to be served.`,
		Example: "  gospaces spaces create orders invoices\n  gospaces spaces create jobs --partitions 12 --replicas 3",
		Args:    operands(1, -1),
	}
	cmd.Flags().IntVar(&partitions, "partitions", 1, "number of partitions, 1 to 256")
	cmd.Flags().IntVar(&replicas, "replicas", 0,
		"in a cluster, number of nodes that have it, 1 to 5 (default the server's --replicas)")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		var opts []client.SpaceOption
		if cmd.Flags().Changed("replicas") {
			opts = append(opts, client.Replicas(replicas))
		}
		if cmd.Flags().Changed("partitions") {
			opts = append(opts, client.Partitions(partitions))
		}
		return a.withServer(cmd.Context(), func(c *client.NodeClient) error {
			for _, name := range names {
				if err := c.CreateSpace(cmd.Context(), name, opts...); err != nil {
					return asUsage(fmt.Errorf("create space %q: %w", name, err))
				}
			}
			return nil
		})
	}
	return cmd
}

// droppedSpace is what `gospaces spaces drop` prints.
type droppedSpace struct {
	Dropped string `json:"dropped"`
	Tables  bool   `json:"tables,omitempty"` // the tables were dropped, too
}

func (a *app) dropSpaceCommand() *cobra.Command {
	var yes, tables bool
	cmd := &cobra.Command{
		Use:   "drop NAME...",
		Short: "Remove spaces with all that they hold, for good",
		Long: `Remove spaces with all that they hold, for good: entries, registrations, transactions, the log and its
snapshots.

Programs that wait for something in the space get an error that says so. The tables of the space in the database
stay as they are, unless --tables is given: then they are dropped too, and with them the archives; so are those
of a space that was dropped before. A space that the server refuses to serve, because its log is damaged, can be
dropped as well. The space "default" cannot, unless it is refused, or its restore is given up so: then it begins
anew. The command asks for the name of each space again, unless it is told --yes.`,
		Example: "  gospaces spaces drop invoices\n  gospaces spaces drop invoices --tables --yes",
		Args:    operands(1, -1),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&tables, "tables", false, "drop the tables in the database too")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		return a.withServer(cmd.Context(), func(c *client.NodeClient) error {
			answers := bufio.NewReader(a.stdin)
			for _, name := range names {
				if err := a.dropSpace(cmd.Context(), c, name, tables, yes, answers); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

func (a *app) dropSpace(ctx context.Context, c *client.NodeClient, name string, tables, yes bool,
	answers *bufio.Reader,
) error {
	known, err := a.hintSpace(ctx, c, name)
	if err != nil {
		return err
	}
	if !known && !tables { // which may be those of a space that was dropped before
		return space.ErrNoMatch
	}
	if !yes {
		if err := a.confirm(answers, fmt.Sprintf("space %q, with all that it holds", name), name); err != nil {
			return err
		}
	}
	if err := c.DropSpace(ctx, name, tables); err != nil {
		return err
	}
	if err := a.printJSON(droppedSpace{name, tables}); err != nil {
		return err
	}
	if !tables {
		fmt.Fprintf(a.stderr, "gospaces: if the space was mirrored to a database, its tables are still there; "+
			"to drop them: gospaces spaces drop %s --tables\n", name)
	}
	return nil
}
