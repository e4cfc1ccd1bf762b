package client_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// roster tells which nodes a cluster has.
type roster struct {
	t testing.TB

	mu      sync.Mutex
	told    call.Topology // guarded by mu
	answers int           // guarded by mu; with the present list
}

func (r *roster) Topology() *call.Topology {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	t := r.told
	return &t
}

func (r *roster) Version() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told.Version
}

// set makes some nodes those of the cluster, and returns when a client has been told.
func (r *roster) set(nodes ...*node) {
	r.mu.Lock()
	r.told.Version++
	r.told.Nodes, r.answers = nil, 0
	for _, n := range nodes {
		r.told.Nodes = append(r.told.Nodes, call.Member{Name: n.cfg.Node, Addr: n.addr})
	}
	r.mu.Unlock()
	require.Eventually(r.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.answers > 0
	}, time.Minute, time.Millisecond)
}

// A client that makes no calls learns of nodes that join, so that it finds the cluster when all that it knew before are
// gone, and lets go of nodes that leave.
func TestTopology_NodesJoinAndLeave(t *testing.T) {
	t.Parallel()
	r, ctx := &roster{t: t, told: call.Topology{Version: 1}}, t.Context()
	c := startClusterOf(t, 4, server.Config{Topology: r, Idle: 400 * time.Millisecond})
	cl := c.nodes[0].dial(client.Config{})
	_, err := space.Write(ctx, cl, job{ID: 1})
	require.NoError(t, err)

	r.set(c.nodes[2], c.nodes[3])
	c.moveTo(nil)
	require.NoError(t, c.nodes[0].srv.Shutdown(ctx), "what it has been asked is answered")
	c.nodes[0].kill()
	c.nodes[1].kill()
	c.moveTo(c.nodes[3])
	got, err := space.Take(ctx, cl, job{})
	require.NoError(t, err)
	require.EqualValues(t, 1, got.ID)

	for _, n := range c.nodes[2:] {
		c.moveTo(n)
		require.Zero(t, countJobs(t, cl))
	}
	require.NotZero(t, c.nodes[2].srv.Stats().Connections)
	r.set(c.nodes[3])
	require.Eventually(t, func() bool { return c.nodes[2].srv.Stats().Connections == 0 }, time.Minute, time.Millisecond)

	r.set(c.nodes[2], c.nodes[3])
	c.moveTo(c.nodes[2])
	require.Zero(t, countJobs(t, cl), "it may come back")
}

// A node that is not in the list any more, and serves nevertheless, is used as long as that is so.
func TestTopology_NodeThatHasLeftServes(t *testing.T) {
	t.Parallel()
	r := &roster{t: t, told: call.Topology{Version: 1}}
	c := startClusterOf(t, 2, server.Config{Topology: r, Idle: 400 * time.Millisecond})
	cl := c.nodes[1].dial(client.Config{})
	require.Zero(t, countJobs(t, cl))
	r.set(c.nodes[1])
	_, err := space.Write(context.WithoutCancel(t.Context()), cl, job{ID: 1})
	require.NoError(t, err)
	require.Equal(t, 1, countJobs(t, cl))
}
