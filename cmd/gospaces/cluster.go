package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) clusterCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "cluster",
		Short: "Look at a cluster, and change it",
	})
	cmd.AddCommand(a.clusterStatusCommand(), a.clusterTopologyCommand(), a.clusterMoveCommand(), a.clusterDrainCommand(),
		a.clusterRebalanceCommand(), a.clusterForgetCommand())
	return cmd
}

func (a *app) clusterStatusCommand() *cobra.Command {
	var l listing
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print the nodes and partitions of a cluster",
		Long: `Print the nodes and partitions of a cluster, as the node at --addr sees them, or the first of several
that answers.

On a terminal that is two tables, and below them a line for each thing that is wrong. Elsewhere, and with --json,
it is one JSON object. The exit code is 1 if a node is not alive, or a partition is not served, or has a replica
that could not lead.`,
		Example: `  gospaces cluster status
  gospaces cluster status --watch
  gospaces cluster status --json | jq '.partitions[].primary'
  until gospaces cluster status >/dev/null 2>&1; do sleep 1; done`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return a.watchCluster(cmd.Context(), &l)
			}
			return a.printCluster(cmd.Context(), &l)
		},
	}
	l.add(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "print it once a second, until it is interrupted")
	return cmd
}

// errDegraded is the error of a cluster that is not as it should be.
var errDegraded = errors.New("the cluster is degraded")

// printCluster prints what a node says of its cluster, and returns errDegraded with what is wrong.
func (a *app) printCluster(ctx context.Context, l *listing) error {
	return a.withNode(ctx, func(n *client.NodeClient) error {
		text, st, err := a.readCluster(ctx, n)
		if err != nil {
			return err
		}
		wrong := st.wrong()
		says := strings.Join(wrong, "; ")
		if l.isTable(a.stdout) {
			says, err = count(len(wrong), "problem")+", named above", st.print(a, l)
		} else {
			_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		}
		if err == nil && len(wrong) > 0 {
			err = fmt.Errorf("%w: %s", errDegraded, says)
		}
		return err
	})
}

// watchCluster prints what printCluster prints once a second, until ctx ends. A node that does not answer is no reason
// to end.
func (a *app) watchCluster(ctx context.Context, l *listing) error {
	for ctx.Err() == nil {
		if l.isTable(a.stdout) {
			fmt.Fprint(a.stdout, "\x1b[H\x1b[J") // clears the screen
		}
		if err := a.printCluster(ctx, l); err != nil && !errors.Is(err, errDegraded) && ctx.Err() == nil {
			fmt.Fprintln(a.stderr, "gospaces:", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// readCluster returns what a node says of its cluster, also as it says it.
func (a *app) readCluster(ctx context.Context, n *client.NodeClient) (json.RawMessage, *clusterStatus, error) {
	text, err := n.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	var s struct {
		Cluster json.RawMessage `json:"cluster"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, nil, fmt.Errorf("the server's status: %w", err)
	}
	if s.Cluster == nil {
		return nil, nil, a.noCluster()
	}
	st := &clusterStatus{}
	if err := json.Unmarshal(s.Cluster, st); err != nil {
		return nil, nil, fmt.Errorf("the server's status: %w", err)
	}
	return s.Cluster, st, nil
}

func (a *app) noCluster() error {
	return fmt.Errorf("the server at %s is not a node of a cluster: start one with `gospaces serve --cluster`", a.addr)
}

func (a *app) clusterTopologyCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Print what clients are told of a cluster: the addresses of nodes, and where partitions are served",
		Long: `Print what the node at --addr tells clients of its cluster: the addresses of nodes, and which of them
serves which partition.

On a terminal that is two tables. Elsewhere, and with --json, it is one JSON object.`,
		Example: "  gospaces cluster topology\n  gospaces cluster topology --json | jq -r '.nodes[].addr'",
		Args:    noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd.Context(), func(n *client.NodeClient) error {
				t, err := n.Topology(cmd.Context())
				switch {
				case err != nil:
					return err
				case len(t.Nodes) == 0:
					return a.noCluster()
				case !l.isTable(a.stdout):
					return a.printJSON(t)
				}
				if err := printRows(a, &l, "NODE ADDRESS", t.Nodes, func(n client.TopologyNode) []any {
					return []any{n.Name, n.Addr}
				}); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout)
				return printRows(a, &l, "SPACE PARTITION NODE EPOCH", t.Places, func(p client.TopologyPlace) []any {
					return []any{p.Space, p.Partition, p.Node, p.Epoch}
				})
			})
		},
	}
	l.add(cmd)
	return cmd
}
