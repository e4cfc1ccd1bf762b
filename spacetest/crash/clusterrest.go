//go:build linux

package crash

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/spacetest/history"
)

// clusterStatus is the part of a node's cluster status that is used here.
type clusterStatus struct {
	Nodes []struct {
		Name  string
		Alive bool
	}
	Partitions []struct {
		Space     string
		Partition int
		Primary   string
		Target    []string
		Replicas  []struct {
			Node string
			Able bool
		}
	}
}

// statusOf returns the status of a node.
func statusOf(ctx context.Context, n *server) (*clusterStatus, error) {
	var st struct{ Cluster clusterStatus }
	err := n.ask(ctx, "/status", &st)
	return &st.Cluster, err
}

// dialOnly connects to a space at one node of a cluster, which serves it, and stays there whatever it hears of the
// others.
func dialOnly(ctx context.Context, addr, space string) (*client.Client, error) {
	return client.DialConfig(ctx, client.Config{
		Addr: addr, Space: space, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		Grace: 200 * time.Millisecond,
		Dial: func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
	})
}

// trouble returns what a node sees missing until all of the cluster is up; "" if nothing is.
func (st *clusterStatus) trouble(nodes int) string {
	if len(st.Nodes) < nodes {
		return fmt.Sprintf("it knows %d nodes", len(st.Nodes))
	}
	for _, n := range st.Nodes {
		if !n.Alive {
			return "node " + n.Name + " is silent"
		}
	}
	for _, p := range st.Partitions {
		if len(p.Target) > 0 {
			return fmt.Sprintf("%s/%d is being moved", p.Space, p.Partition)
		}
		if p.Primary == "" {
			return "no node serves " + p.Space
		}
		for _, r := range p.Replicas {
			if !r.Able {
				return fmt.Sprintf("the replica of %s at %s is not ready", p.Space, r.Node)
			}
		}
	}
	return ""
}

// awaitWhole waits until all nodes see the whole cluster up.
func (c *campaign) awaitWhole(ctx context.Context) error {
	for began := time.Now(); ; pause(ctx, 100*time.Millisecond) {
		trouble := ""
		for i, n := range c.cluster.nodes {
			st, err := statusOf(ctx, n)
			if err == nil && st.trouble(len(c.cluster.nodes)) == "" {
				continue
			}
			if trouble = fmt.Sprintf("node %s: %v", nodeName(i), err); err == nil {
				trouble = fmt.Sprintf("node %s: %s", nodeName(i), st.trouble(len(c.cluster.nodes)))
			}
			break
		}
		switch {
		case trouble == "":
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(began) > patience:
			return fmt.Errorf("the cluster does not become whole: %s", trouble)
		}
	}
}

func (r *resting) becomeWhole(ctx context.Context) error {
	began := time.Now()
	err := r.awaitWhole(ctx)
	r.report.whole.Store(max(r.report.whole.Load(), int64(time.Since(began))))
	return err
}

// endCluster ends what killed clients have left, in one of three ways: it kills all nodes; it restarts one node after
// the other; or it waits until the leases of the clients' transactions end.
func (r *resting) endCluster(ctx context.Context) error {
	switch r.rng.IntN(3) {
	case 0:
		if err := r.cluster.killAll(ctx); err != nil {
			return err
		}
	case 1:
		for _, n := range r.cluster.nodes {
			if err := r.awaitWhole(ctx); err != nil {
				return err
			}
			if err := n.stop(); err != nil {
				return err
			}
			if err := r.cluster.start(ctx, n); err != nil {
				return err
			}
		}
	}
	if err := r.awaitWhole(ctx); err != nil {
		return err
	}
	pause(ctx, max(longestLease, longestDelay)+200*time.Millisecond)
	if err := r.connect(ctx); err != nil {
		return err
	}
	if err := r.endTxns(ctx); err != nil {
		return err
	}
	return r.awaitEnd(ctx)
}

// judgeAudits returns an error if a replica has found its state to differ from that of its primary. It has rebuilt it,
// so that nothing shows at rest.
func (r *resting) judgeAudits(ctx context.Context) error {
	for i, n := range r.cluster.nodes {
		var st serverStatus
		if err := n.ask(ctx, "/status", &st); err != nil {
			return err
		}
		for _, s := range st.Spaces {
			for _, p := range append(s.Partitions, s) {
				if p.Differed > 0 {
					return fmt.Errorf("node %s: %d audits of its replica of %s found another state than the primary's",
						nodeName(i),
						p.Differed, p.Name)
				}
			}
		}
	}
	return nil
}

// primaries returns what the primaries say of their partitions.
func (r *resting) primaries(ctx context.Context) (all []spaceStatus, err error) {
	for _, n := range r.cluster.nodes {
		var st serverStatus
		if err := n.ask(ctx, "/status", &st); err != nil {
			return nil, err
		}
		for _, s := range st.Spaces {
			parts := s.Partitions
			if parts == nil { // it has one
				parts = []spaceStatus{s}
			}
			for _, p := range parts {
				if p.Role == "primary" {
					all = append(all, p)
				}
			}
		}
	}
	return all, nil
}

// awaitEnd waits until no transaction is open and nothing is locked.
func (r *resting) awaitEnd(ctx context.Context) error {
	for began := time.Now(); ; pause(ctx, 100*time.Millisecond) {
		all, err := r.primaries(ctx)
		if err != nil {
			return err
		}
		open := ""
		for _, s := range all {
			if s.Transactions+s.Prepared+s.Entries.Held > 0 {
				open = fmt.Sprintf("space %s has %d open transactions, %d prepared ones, %d locked entries", s.Name,
					s.Transactions, s.Prepared, s.Entries.Held)
			}
		}
		switch {
		case open == "" && len(all) >= r.partitions():
			return nil
		case time.Since(began) > patience:
			return fmt.Errorf("%d partitions are served; %s", len(all), cmp.Or(open, "nothing is open"))
		}
	}
}

// judgeReplicas compares the replicas at a position that all have reached: their states must be the same.
func (r *resting) judgeReplicas(ctx context.Context) error {
	for began := time.Now(); ; pause(ctx, 50*time.Millisecond) {
		same, err := r.compareReplicas(ctx)
		if same || err != nil {
			return err
		}
		if time.Since(began) > patience {
			return fmt.Errorf("the replicas do not come to one position")
		}
	}
}

func (r *resting) compareReplicas(ctx context.Context) (same bool, err error) {
	replicas := map[string][]audited{}
	for i, n := range r.cluster.nodes {
		here, err := audit(ctx, n)
		if err != nil {
			return false, err
		}
		for at, a := range here {
			a.node = nodeName(i)
			replicas[at] = append(replicas[at], a)
		}
	}
	same = len(replicas) >= r.partitions()
	for at, all := range replicas {
		same = same && len(all) == replicasOfEach
		for _, a := range all {
			switch first := all[0]; {
			case a.Position != first.Position:
				same = false
			case a.Hash != first.Hash:
				return false, fmt.Errorf("%s: at position %d the replica at node %s has state %s, the one at node %s %s", at,
					a.Position, first.node, first.Hash, a.node, a.Hash)
			}
		}
	}
	return same, nil
}

// pauses returns the times without a successful call in a space while callers were at it, the longest last.
func pauses(calls []history.Op) (all []time.Duration) {
	var ended [len(spaceNames)][]time.Duration
	for i := range calls {
		o := &calls[i]
		if lane := laneOfCall(o); lane >= 0 && (o.Outcome == history.OK || o.Outcome == history.None) {
			key := o.Pattern.Key
			if len(o.Items) > 0 {
				key = o.Items[0].Key
			}
			ended[spaceOf(key)] = append(ended[spaceOf(key)], o.Return)
		}
	}
	for _, times := range ended {
		slices.Sort(times)
		for i := 1; i < len(times); i++ {
			if d := times[i] - times[i-1]; d >= aPause {
				all = append(all, d)
			}
		}
	}
	slices.Sort(all)
	return all
}

// aPause is the shortest time without an answer that counts as a pause.
const aPause = 200 * time.Millisecond
