package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// The procedures of docs/cluster.md, while programs go on. Others are tested elsewhere: a lost node is forgotten
// (TestCluster_ALostNodeIsForgotten), from one server to a cluster and back (TestRestore_IntoACluster), and, in package
// spacetest, a cold start (TestFailover_AllNodesKilled).

// traffic is a writer and a taker that go on while something is done to their cluster.
type traffic struct {
	t    *testing.T
	c    *client.Client
	stop context.CancelFunc // of the writer

	ended   sync.WaitGroup
	written int   // set when ended
	taken   []int // set when ended
	errs    [2]error
}

// parcel is what traffic consists of.
type parcel struct{ Number int }

// startTraffic starts traffic in the default space, with the address of one node only.
func startTraffic(t *testing.T, n *spacetest.ClusterNode) *traffic {
	c := n.Dial(t, client.DefaultSpace)
	f := &traffic{t: t, c: c}
	writing, stop := context.WithCancel(t.Context())
	f.stop = stop
	last := make(chan int, 1)
	f.ended.Go(func() {
		for f.errs[0] == nil && writing.Err() == nil {
			_, f.errs[0] = space.Write(t.Context(), c, parcel{f.written + 1})
			f.written++
			time.Sleep(time.Millisecond) // the machine is for the nodes, too
		}
		last <- f.written
	})
	f.ended.Go(func() {
		for all := -1; f.errs[1] == nil && len(f.taken) != all; {
			var p parcel
			p, f.errs[1] = space.Take(t.Context(), c, parcel{}, space.Wait(100*time.Millisecond))
			if f.errs[1] == nil {
				f.taken = append(f.taken, p.Number)
			} else if errors.Is(f.errs[1], space.ErrNoMatch) || errors.Is(f.errs[1], space.ErrUnavailable) {
				f.errs[1] = nil // the cluster has less time than a failover takes
			}
			select {
			case all = <-last:
			default:
			}
		}
	})
	return f
}

// end ends the traffic: what was written was taken, each once, in its order.
func (f *traffic) end() {
	f.t.Helper()
	f.stop()
	f.ended.Wait()
	require.NoError(f.t, errors.Join(f.errs[:]...))
	require.Len(f.t, f.taken, f.written)
	for i, n := range f.taken {
		require.Equal(f.t, i+1, n)
	}
	f.t.Logf("%d written and taken", f.written)
}

// operator is who carries out a procedure.
type operator struct {
	*testing.T
	addrs string // of the nodes that are asked
}

// do runs a command below gospaces cluster.
func (o operator) do(args ...string) {
	o.Helper()
	succeeds(o.T, o.addrs, append([]string{"cluster"}, args...)...)
}

// status returns the status of the cluster, when all is well.
func (o operator) status() (st clusterStatus) {
	o.Helper()
	require.Eventually(o, func() bool {
		r := cli(o.T, "--addr", o.addrs, "cluster", "status")
		st = clusterStatus{}
		return r.code == exitOK && json.Unmarshal([]byte(r.out), &st) == nil
	}, 3*time.Minute, 50*time.Millisecond)
	return st
}

// has reports whether a node has replicas.
func (o operator) has(node string) bool {
	for _, n := range o.status().Nodes {
		if n.Name == node {
			return n.Has > 0
		}
	}
	return false
}

// Join and leave: three nodes are replaced by three others, one by one, and a client that knew one of the first three
// goes on. Replicas move to a node that has joined by themselves.
func TestProcedure_AllNodesAreReplaced(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{})
	o := operator{t, c.Addrs()}
	o.status()
	require.Equal(t, exitOK, cli(t, "--addr", o.addrs, "spaces", "create", "jobs").code)
	traffic := startTraffic(t, c.Nodes[0])
	for i, old := range c.Nodes {
		joined := c.Join()
		o.addrs = strings.Join([]string{c.Nodes[i+1].Addr, c.Nodes[i+2].Addr, joined.Addr}, ",")
		o.status()
		if i == 0 {
			require.Eventually(t, func() bool { return o.has(joined.Name) }, 3*time.Minute, 50*time.Millisecond,
				"the others have two replicas each")
		}
		o.do("drain", old.Name)
		old.Leave()
		require.Eventually(t, func() bool { // it is alive until the others suspect it
			return cli(t, "--addr", o.addrs, "cluster", "forget", old.Name).code == exitOK
		}, 3*time.Minute, 50*time.Millisecond)
		o.status()
	}
	for _, replaced := range c.Nodes[:3] {
		require.False(t, o.has(replaced.Name))
	}
	traffic.end()
}

// Replace a lost disk: a node that comes back with an empty folder gets what it lacks from the others, and is as good
// as they are.
func TestProcedure_AnEmptyDiskIsFilled(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{})
	o := operator{t, c.Addrs()}
	o.status()
	kept := c.Dial(t, "default")
	_, err := space.WriteAll(t.Context(), kept, []order{{"a", 1}, {"b", 2}, {"c", 3}})
	require.NoError(t, err)
	traffic := startTraffic(t, c.Nodes[0])
	lost := c.Node(c.Primary("default"))
	lost.Kill()
	require.NoError(t, os.RemoveAll(lost.Data()))
	lost.Start()
	o.status()
	for _, n := range c.Nodes { // without either of the others it is part of every majority
		if n != lost {
			n.Kill()
			require.Equal(t, 3, counted(t, kept))
			n.Start()
			o.status()
		}
	}
	traffic.end()
}

// counted returns how many orders there are.
func counted(t *testing.T, sp space.Space) int {
	n, err := space.Count(t.Context(), sp, order{})
	require.NoError(t, err)
	return n
}

// Restart and upgrade: the nodes are stopped and started one by one, as another version, which runs beside the old one
// meanwhile.
func TestProcedure_RollingUpgrade(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Process: true})
	o := operator{t, c.Addrs()}
	o.status()
	traffic := startTraffic(t, c.Nodes[0])
	for i, n := range c.Nodes {
		n.Stop()
		n.Upgrade()
		n.Start()
		next := 0
		for _, n := range o.status().Nodes {
			if n.Version == spacetest.NextVersion {
				next++
			}
		}
		require.Equal(t, i+1, next)
	}
	traffic.end()
}
