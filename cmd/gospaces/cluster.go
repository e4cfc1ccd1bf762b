package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) clusterCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "cluster",
		Short: "Look at a cluster, and change it",
	})
	cmd.AddCommand(a.clusterStatusCommand(), a.clusterMoveCommand(), a.clusterDrainCommand(), a.clusterRebalanceCommand(),
		a.clusterForgetCommand())
	return cmd
}

func (a *app) clusterStatusCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print the nodes and partitions of a cluster",
		Long: `Print the nodes and partitions of a cluster, as the node at --addr sees them.

On a terminal that is two tables. Elsewhere, and with --json, it is one JSON object. The exit code is 1 if a node
is not alive, or a partition is not served, or has a replica that could not lead.`,
		Example: "  gospaces cluster status\n  gospaces cluster status --json | jq '.partitions[].primary'",
		Args:    noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
				text, err := c.Status(cmd.Context())
				if err != nil {
					return err
				}
				return a.printCluster(&l, text)
			})
		},
	}
	l.add(cmd)
	return cmd
}

// clusterStatus is what a table shows of what a node says of its cluster.
type clusterStatus struct {
	Name  string `json:"name"`
	Nodes []struct {
		Name    string `json:"name"`
		Addr    string `json:"addr"`
		Zone    string `json:"zone"`
		Alive   bool   `json:"alive"`
		Leads   int    `json:"leads"`
		Has     int    `json:"replicas"`
		Drained bool   `json:"drained"`
		Version string `json:"version"`
	} `json:"nodes"`
	Partitions []struct {
		Space     string   `json:"space"`
		Partition int      `json:"partition"`
		Primary   string   `json:"primary"`
		Epoch     uint64   `json:"epoch"`
		Target    []string `json:"target"`
		Replicas  []struct {
			Node     string `json:"node"`
			Alive    bool   `json:"alive"`
			Able     bool   `json:"able"`
			Position uint64 `json:"position"`
			Lag      uint64 `json:"lag"`
		} `json:"replicas"`
	} `json:"partitions"`
}

// errDegraded is the error of a cluster that is not as it should be.
var errDegraded = errors.New("the cluster is degraded")

// printCluster prints the part of a status about the cluster, and returns errDegraded with what is wrong.
func (a *app) printCluster(l *listing, text []byte) error {
	var s struct {
		Cluster json.RawMessage `json:"cluster"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the server's status: %w", err)
	}
	if s.Cluster == nil {
		return fmt.Errorf("the server at %s is not a node of a cluster: start one with `gospaces serve --cluster`", a.addr)
	}
	var st clusterStatus
	if err := json.Unmarshal(s.Cluster, &st); err != nil {
		return fmt.Errorf("the server's status: %w", err)
	}
	if !l.isTable(a.stdout) {
		if _, err := fmt.Fprintf(a.stdout, "%s\n", s.Cluster); err != nil {
			return err
		}
		return st.trouble()
	}
	if err := a.printClusterTables(l, &st); err != nil {
		return err
	}
	return st.trouble()
}

func (a *app) printClusterTables(l *listing, st *clusterStatus) error {
	fmt.Fprintf(a.stdout, "cluster     %s\n\n", st.Name)
	type node = struct{ cells []any }
	var nodes, partitions []node
	for _, n := range st.Nodes {
		state := "alive"
		switch {
		case !n.Alive:
			state = "silent"
		case n.Drained:
			state = "drained"
		}
		nodes = append(nodes, node{[]any{n.Name, n.Addr, n.Zone, state, n.Leads, n.Has, n.Version}})
	}
	for _, p := range st.Partitions {
		var followers []string
		for _, r := range p.Replicas {
			switch {
			case r.Node == p.Primary:
			case !r.Alive:
				followers = append(followers, r.Node+" (silent)")
			case !r.Able && !st.isDrained(r.Node):
				followers = append(followers, r.Node+" (not ready)")
			case r.Lag > 0:
				followers = append(followers, fmt.Sprintf("%s (%d behind)", r.Node, r.Lag))
			default:
				followers = append(followers, r.Node)
			}
		}
		if len(p.Target) > 0 {
			followers = append(followers, "moves to "+strings.Join(p.Target, ", "))
		}
		partitions = append(partitions, node{[]any{p.Space, p.Partition, p.Primary, p.Epoch, strings.Join(followers, ", ")}})
	}
	cells := func(n node) []any { return n.cells }
	if err := printRows(a, l, "NODE ADDRESS ZONE STATE LEADS REPLICAS VERSION", nodes, cells); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	return printRows(a, l, "SPACE PARTITION PRIMARY EPOCH FOLLOWERS", partitions, cells)
}

// isDrained reports whether a node is to lead nothing, so that none of its replicas can.
func (st *clusterStatus) isDrained(name string) bool {
	for _, n := range st.Nodes {
		if n.Name == name {
			return n.Drained
		}
	}
	return false
}

// trouble returns errDegraded with what is wrong, or nil.
func (st *clusterStatus) trouble() error {
	var wrong []string
	for _, n := range st.Nodes {
		if !n.Alive {
			wrong = append(wrong, "node "+n.Name+" is silent")
		}
	}
	for _, p := range st.Partitions {
		at := fmt.Sprintf("%s/%d", p.Space, p.Partition)
		if p.Primary == "" {
			wrong = append(wrong, "no node serves "+at)
		}
		for _, r := range p.Replicas {
			if r.Alive && !r.Able && !st.isDrained(r.Node) {
				wrong = append(wrong, fmt.Sprintf("the replica of %s at %s is not ready", at, r.Node))
			}
		}
	}
	if wrong == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", errDegraded, strings.Join(wrong, "; "))
}
