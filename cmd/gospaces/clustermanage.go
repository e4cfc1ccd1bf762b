package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
)

func (a *app) clusterMoveCommand() *cobra.Command {
	var to []string
	var wait, dry bool
	cmd := &cobra.Command{
		Use:   "move SPACE[/PARTITION]",
		Short: "Move the replicas of a partition to other nodes",
		Long: `Have the replicas of a partition be on the nodes that --to names; the first of them is to lead it.

The nodes get a copy, the log moves to them, and one of them leads; the partition is served meanwhile. The
command waits until that is done. If it is interrupted the move goes on.`,
		Example: "  gospaces cluster move jobs --to d,b,c\n  gospaces cluster move jobs/3 --to a,b,c --wait=false",
		Args:    operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(to) == 0 {
				return usage("--to is missing: name the nodes that are to have the replicas, the one that is to lead " +
					"first")
			}
			move, err := parseMove(args[0], to)
			if err != nil {
				return usageError{err}
			}
			return asUsage(a.manage(cmd.Context(), &node.ManageRequest{Move: move, Plan: dry}, wait,
				func(st *clusterStatus) (string, error) {
					return st.moving(move.Space, int(move.Partition)), nil
				}))
		},
	}
	cmd.Flags().StringSliceVar(&to, "to", nil, "nodes that are to have the replicas, the one that is to lead first")
	addWait(cmd, &wait)
	addDryRun(cmd, &dry)
	return cmd
}

// parseMove reads SPACE or SPACE/PARTITION.
func parseMove(where string, to []string) (*node.MoveRequest, error) {
	space, number, several := strings.Cut(where, "/")
	if err := checkSpace(space); err != nil {
		return nil, err
	}
	move := &node.MoveRequest{Space: space, To: to}
	if several {
		n, err := strconv.ParseUint(number, 10, 12)
		if err != nil {
			return nil, fmt.Errorf("%q names no partition: write SPACE/NUMBER, as in jobs/3", where)
		}
		move.Partition = uint16(n)
	}
	return move, nil
}

func (a *app) clusterDrainCommand() *cobra.Command {
	var primaries, undo, wait, dry bool
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Move the work of a node to other nodes",
		Long: `Have other nodes lead what a node leads and, unless there is --primaries, have its replicas, too.

Drain a node before it is removed for good; with --primaries, before it is stopped for a while (SIGTERM does
that by itself). The command waits until that is done. --undo lets the node take part again.`,
		Example: "  gospaces cluster drain d\n  gospaces cluster drain d --primaries\n  gospaces cluster drain d --undo",
		Args:    operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &node.DrainRequest{Node: args[0], Leads: undo, Replicas: undo || primaries}
			return asUsage(a.manage(cmd.Context(), &node.ManageRequest{Drain: request, Plan: dry}, wait && !undo,
				func(st *clusterStatus) (string, error) { return st.draining(args[0], primaries) }))
		},
	}
	cmd.Flags().BoolVar(&primaries, "primaries", false, "only what the node leads; it keeps its replicas")
	cmd.Flags().BoolVar(&undo, "undo", false, "let the node lead, and have replicas, again")
	addWait(cmd, &wait)
	addDryRun(cmd, &dry)
	return cmd
}

func (a *app) clusterForgetCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "forget NODE",
		Short: "Remove a node that will not come back",
		Long: `Remove a node that will not come back: the others do not count it any more when they need a majority. It must
be stopped, and have no replicas: drain it first, also if it is lost.`,
		Example: "  gospaces cluster forget d",
		Args:    operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &node.ForgetRequest{Node: args[0]}
			return a.manage(cmd.Context(), &node.ManageRequest{Forget: request, Plan: dry}, false, nil)
		},
	}
	addDryRun(cmd, &dry)
	return cmd
}

func (a *app) clusterRebalanceCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "rebalance",
		Short: "Watch replicas being spread evenly over the nodes",
		Long: `Watch replicas being spread evenly over the nodes. The cluster does that by itself, one partition at a time,
whenever a node has joined or is drained, and all replicas are well; the command waits until nothing is left to
be moved. --dry-run prints what is to be moved.`,
		Example: "  gospaces cluster rebalance --dry-run",
		Args:    noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dry {
				return a.manage(cmd.Context(), &node.ManageRequest{Plan: true}, false, nil)
			}
			return a.withNode(cmd.Context(), func(c *client.NodeClient) error {
				return a.follow(cmd.Context(), c, func(st *clusterStatus) (string, error) {
					plan, err := ask(cmd.Context(), c, &node.ManageRequest{Plan: true})
					if err != nil || len(plan.Moves) == 0 {
						return st.moving("", 0), err
					}
					return fmt.Sprintf("%s left to be moved", count(len(plan.Moves), "partition")), nil
				})
			})
		},
	}
	addDryRun(cmd, &dry)
	return cmd
}

func addDryRun(cmd *cobra.Command, dry *bool) {
	cmd.Flags().BoolVar(dry, "dry-run", false, "print the moves that would follow, as JSON lines, and change nothing")
}

func addWait(cmd *cobra.Command, wait *bool) {
	cmd.Flags().BoolVar(wait, "wait", true, "wait until it is done, and say on standard error how far it is")
}

// leftOf says, of the status of a cluster, what is left to do; "" if nothing is. It returns an error if it will not be
// done.
type leftOf func(*clusterStatus) (string, error)

// manage has the cluster changed, and waits until nothing is left to do; or it prints the moves that would follow.
func (a *app) manage(ctx context.Context, r *node.ManageRequest, wait bool, left leftOf) error {
	return a.withNode(ctx, func(c *client.NodeClient) error {
		if _, _, err := a.readCluster(ctx, c); err != nil {
			return err
		}
		answer, err := ask(ctx, c, r)
		switch {
		case err != nil:
			return err
		case r.Plan:
			return a.printMoves(answer.Moves)
		case wait:
			return a.follow(ctx, c, left)
		}
		return nil
	})
}

// ask has a node carry out a request, and returns its answer.
func ask(ctx context.Context, c *client.NodeClient, r *node.ManageRequest) (answer node.ManageAnswer, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return answer, err
	}
	text, err := c.Manage(ctx, body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

// printMoves prints what would be moved, as JSON lines.
func (a *app) printMoves(moves []node.MoveRequest) error {
	if len(moves) == 0 {
		fmt.Fprintln(a.stderr, "nothing would be moved")
	}
	for _, m := range moves {
		if err := a.printJSON(m); err != nil {
			return err
		}
	}
	return nil
}

// lookPause is how often a command looks how far the cluster is.
const lookPause = 300 * time.Millisecond

// follow tells how far the cluster is whenever that changes, until nothing is left.
func (a *app) follow(ctx context.Context, c *client.NodeClient, left leftOf) error {
	said := ""
	for {
		_, st, err := a.readCluster(ctx, c)
		if err != nil {
			return err
		}
		now, err := left(st)
		if now == "" || err != nil {
			return err
		}
		if now != said {
			fmt.Fprintln(a.stderr, now)
			said = now
		}
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// moving says what is left of the move of a partition, or of all if no space is named; "" if nothing is.
func (st *clusterStatus) moving(space string, partition int) string {
	var left []string
	for _, p := range st.Partitions {
		if len(p.Target) > 0 && (space == "" || p.Space == space && p.Partition == partition) {
			left = append(left, fmt.Sprintf("%s/%d, led by %s, %s", p.Space, p.Partition, cmp.Or(p.Primary, "no node"),
				p.move()))
		}
	}
	return strings.Join(left, "; ")
}

// draining says what a node has that is to be drained; "" if nothing. It returns an error if there are too few other
// nodes for what it has.
func (st *clusterStatus) draining(name string, primaries bool) (string, error) {
	leads, handed, has, needed := 0, 0, 0, 0
	for _, p := range st.Partitions {
		if p.Primary == name {
			leads++
			if st.hasHeir(&p) {
				handed++
			}
		}
		for _, r := range p.Replicas {
			if r.Node == name {
				has++
				needed = max(needed, cmp.Or(len(p.Target), len(p.Replicas)))
			}
		}
	}
	switch {
	case leads == 0 && (primaries || has == 0):
		return "", nil
	case primaries:
		return fmt.Sprintf("node %s leads %s", name, count(leads, "partition")), nil
	case handed == 0 && st.staying() < needed:
		return "", fmt.Errorf("node %s leads %s, and has %s that no other node can take: add a node, and the drain "+
			"goes on by itself; or undo it: gospaces cluster drain %s --undo", name, count(leads, "partition"),
			count(has, "replica"), name)
	}
	return fmt.Sprintf("node %s leads %s, and has %s%s%s", name, count(leads, "partition"), count(has, "replica"),
		st.silent(), st.waiting()), nil
}

// hasHeir reports whether a node that is not drained has a replica of a partition, and could lead it.
func (st *clusterStatus) hasHeir(p *partitionLine) bool {
	return slices.ContainsFunc(p.Replicas, func(r replicaLine) bool { return !st.isDrained(r.Node) })
}

func (st *clusterStatus) isDrained(node string) bool {
	return slices.ContainsFunc(st.Nodes, func(m memberLine) bool { return m.Name == node && m.Drained })
}

// waiting says which move is under way, since all others come after it; "" if there is none.
func (st *clusterStatus) waiting() string {
	for _, p := range st.Partitions {
		if p.Awaits != "" {
			return fmt.Sprintf("; %s/%d %s", p.Space, p.Partition, p.move())
		}
	}
	return ""
}

// staying returns how many nodes are not drained. A silent one counts: it may be suspected for just a moment.
func (st *clusterStatus) staying() (n int) {
	for _, m := range st.Nodes {
		if !m.Drained {
			n++
		}
	}
	return n
}

// silent says which nodes are not heard of, as the end of a line about what waits; "" if there are none.
func (st *clusterStatus) silent() (text string) {
	for _, m := range st.Nodes {
		if !m.Alive {
			text += "; node " + m.Name + " is silent"
		}
	}
	return text
}
