package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// cluster is servers with the same partitions, of which one serves them and the others tell where they are.
type cluster struct {
	nodes []*node

	mu      sync.RWMutex // read-locked while a partition is asked, so that what is told after a move was done before it
	primary *node        // guarded by mu; nil: there is none for now
	epoch   uint64       // guarded by mu
}

// member is what a node of a cluster serves.
type member struct {
	*spaces
	cluster *cluster
	node    *node
}

// startCluster starts two nodes, of which the first serves.
func startCluster(t *testing.T) *cluster { return startClusterOf(t, 2, server.Config{}) }

// startClusterOf is startCluster for so many nodes, with some settings.
func startClusterOf(t *testing.T, nodes int, cfg server.Config) *cluster {
	c := &cluster{nodes: make([]*node, nodes)}
	for i := range c.nodes {
		cfg.Cluster, cfg.Node = "test", fmt.Sprint("n", i)
		c.nodes[i] = newNode(t, cfg)
		c.nodes[i].spaces = c.nodes[0].spaces
		c.nodes[i].cfg.Spaces = member{c.nodes[0].spaces, c, c.nodes[i]}
		c.nodes[i].start()
	}
	c.moveTo(c.nodes[0])
	return c
}

// Lookup implements server.Spaces.
func (m member) Lookup(at txn.Address) (server.Place, error) {
	m.cluster.mu.RLock()
	defer m.cluster.mu.RUnlock()
	if err := m.cluster.servesLocked(m.node, at); err != nil {
		return server.Place{}, err
	}
	p, err := m.spaces.Lookup(at)
	p.Host = fenced{p.Host, m, m.cluster.epoch}
	return p, err
}

// servesLocked returns nil if n is the primary, and otherwise what it answers.
func (c *cluster) servesLocked(n *node, at txn.Address) error {
	switch c.primary {
	case n:
		return nil
	case nil:
		return call.ErrNotReady
	}
	e := &call.ElsewhereError{At: at, Node: c.primary.addr, Epoch: call.Epoch{Claim: c.epoch}}
	return fmt.Errorf("%w; says %s", e, n.addr)
}

// moveTo makes n the primary, or nil none. The others notice when they are asked.
func (c *cluster) moveTo(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.primary = n
	c.epoch++
}

// fenced is a host for as long as its node serves without a break.
type fenced struct {
	server.Host
	member member
	epoch  uint64
}

// servesLocked returns nil if f serves, and otherwise what it answers.
func (f fenced) servesLocked() error {
	err := f.member.cluster.servesLocked(f.member.node, f.Host.(*partition.Host).Address())
	if err == nil && f.epoch != f.member.cluster.epoch {
		return call.ErrNotReady
	}
	return err
}

func (f fenced) Do(c call.Caller, callID uint64, a *call.Ask) call.Rest {
	f.member.cluster.mu.RLock()
	defer f.member.cluster.mu.RUnlock()
	if err := f.servesLocked(); err != nil {
		c.Reply(callID, &call.Result{Err: err}, 0, true)
		return nil
	}
	return f.Host.Do(c, callID, a)
}

func (f fenced) Received(session uint64, lsn call.LSN) {
	f.member.cluster.mu.RLock()
	defer f.member.cluster.mu.RUnlock()
	if f.servesLocked() == nil {
		f.Host.Received(session, lsn)
	}
}

// resetAll makes the clients of the last primary, n, open their partitions again.
func (c *cluster) resetAll(n *node) {
	sp := n.spaces
	sp.mu.Lock()
	hosts := []server.Host{sp.absent}
	for _, h := range sp.open {
		hosts = append(hosts, h)
	}
	sp.mu.Unlock()
	c.mu.RLock()
	epoch := c.epoch - 1 // that has just ended
	c.mu.RUnlock()
	for _, h := range hosts {
		n.srv.Replaced(fenced{h, member{sp, c, n}, epoch})
	}
}

func TestElsewhere_CallsAreMadeThere(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.moveTo(c.nodes[1])
	cl, ctx := c.nodes[0].dial(client.Config{Conns: 2}), t.Context()
	for i := range int64(10) {
		_, err := space.Write(ctx, cl, job{ID: i})
		require.NoError(t, err)
	}
	require.Equal(t, 10, countJobs(t, cl.SpaceNamed("default")))
	require.Equal(t, 10, countJobs(t, c.nodes[1].dial(client.Config{})))
	_, err := space.Write(ctx, cl.SpaceNamed("other"), job{ID: 1})
	require.NoError(t, err)
	require.Equal(t, 1, countJobs(t, cl.SpaceNamed("other")))
}

// A partition moves with all that a client has in it: a wait, a registration, an iteration that ends, a transaction.

func TestElsewhere_WhatAClientHasMovesAlong(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{false, true} {
		t.Run(fmt.Sprintf("the old node tells so at once: %v", told), func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			cl, ctx := c.nodes[0].dial(client.Config{Grace: 10 * time.Millisecond}), t.Context()
			_, err := space.Write(ctx, cl, job{ID: 1})
			require.NoError(t, err)
			_, tx, err := space.TakeTxn(ctx, cl, job{ID: 1})
			require.NoError(t, err)
			reg, err := cl.Notify(ctx, mustMatch(t, cl, job{}), 0, space.Forever)
			require.NoError(t, err)
			waiting := make(chan error, 1)
			go func() { _, err := space.Take(ctx, cl, job{ID: 2}); waiting <- err }()
			c.nodes[0].awaitWaiting("default", 1)

			c.moveTo(nil)
			if told {
				c.resetAll(c.nodes[0])
			} else { // a call is told
				_, err := space.Take(ctx, cl, job{}, space.NoWait())
				require.ErrorIs(t, err, space.ErrUnavailable)
			}
			c.nodes[0].awaitWaiting("default", 0) // a node that does not serve any more lets go of what waits
			c.moveTo(c.nodes[1])
			_, err = space.Write(ctx, cl, job{ID: 2})
			require.NoError(t, err)
			require.NoError(t, <-waiting)
			ev, err := reg.Next(ctx)
			require.NoError(t, err)
			got, err := space.Decode[job](ev.Entry)
			require.NoError(t, err)
			require.Equal(t, job{ID: 2}, got)
			require.NoError(t, tx.Commit(ctx))
			require.Zero(t, countJobs(t, cl))
			require.NoError(t, reg.Close())
		})
	}
}

// Calls that are under way while their partition moves happen once.
func TestElsewhere_CallsHappenOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	cl, ctx := c.nodes[0].dial(client.Config{Conns: 2}), t.Context()
	const writers, each = 4, 50
	var written sync.WaitGroup
	wrote := make(chan struct{}, writers*each)
	for i := range int64(writers) {
		written.Go(func() {
			for j := range int64(each) {
				if _, err := space.Write(ctx, cl, job{ID: each*i + j}); err != nil {
					t.Error(err)
				}
				wrote <- struct{}{}
			}
		})
	}
	for i := 1; i <= 10; i++ {
		for range writers * each / 20 {
			<-wrote
		}
		c.moveTo(c.nodes[i%2])
		c.resetAll(c.nodes[(i+1)%2])
	}
	written.Wait()
	seen := map[int64]bool{}
	jobs, err := space.TakeAll(ctx, cl, job{}, 2*writers*each)
	require.NoError(t, err)
	for _, j := range jobs {
		require.False(t, seen[j.ID], "job %d was written twice", j.ID)
		seen[j.ID] = true
	}
	require.Len(t, seen, writers*each)
}

func TestNotReady_CallsWaitUntilANodeServes(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	cl, ctx := c.nodes[0].dial(client.Config{Grace: 10 * time.Millisecond}), t.Context()
	_, err := space.Write(ctx, cl, job{ID: 1})
	require.NoError(t, err)
	c.moveTo(nil)
	c.resetAll(c.nodes[0])

	_, err = space.Take(ctx, cl, job{}, space.NoWait())
	require.ErrorIs(t, err, space.ErrUnavailable, "what need not wait does not")
	ended, cancel := context.WithCancelCause(ctx)
	failed := make(chan error, 1)
	go func() { _, err := space.Write(ended, cl, job{ID: 2}); failed <- err }()
	wrote := make(chan error, 1)
	go func() { _, err := space.Write(ctx, cl, job{ID: 3}); wrote <- err }()
	cancel(errors.New("no more"))
	require.ErrorIs(t, <-failed, context.Canceled)

	c.moveTo(c.nodes[1])
	require.NoError(t, <-wrote)
	require.Equal(t, 2, countJobs(t, cl))
}

// A node that no one can reach does not serve, whatever others say of it.
func TestElsewhere_NodeThatIsGone(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	cl, ctx := c.nodes[0].dial(client.Config{Grace: 10 * time.Millisecond}), t.Context()
	_, err := space.Write(ctx, cl, job{ID: 1})
	require.NoError(t, err)
	c.nodes[1].kill()
	c.moveTo(c.nodes[1])
	c.resetAll(c.nodes[0])
	_, err = space.Take(ctx, cl, job{}, space.NoWait())
	require.ErrorIs(t, err, space.ErrUnavailable)
	require.ErrorContains(t, err, c.nodes[1].addr)
	c.moveTo(c.nodes[0])
	_, err = space.Take(ctx, cl, job{})
	require.NoError(t, err)
}

// atPrimary is the topology of a cluster of two nodes, one of which serves the default space.
type atPrimary struct{ *cluster } // set before it is asked

func (*atPrimary) Version() uint64 { return 1 }

func (c *atPrimary) Topology() *call.Topology {
	t := (*atSecond)(c).Topology()
	c.mu.RLock()
	defer c.mu.RUnlock()
	t.Places[0].Node, t.Places[0].Epoch.Claim = c.primary.cfg.Node, c.epoch
	return t
}

// No other node can tell what has become of a drop.
func TestDropSpace_NodeThatIsGone(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(n *node, m *mute){
		"killed": func(n *node, _ *mute) { n.kill() },
		"silent": func(_ *node, m *mute) { m.on.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m mute
			places := new(atPrimary)
			c := startClusterOf(t, 2, server.Config{Topology: places})
			places.cluster = c
			first := c.nodes[0]
			first.spaces.drops = make(chan string)
			cl := first.dial(client.Config{Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				if addr == first.addr {
					return m.dial(ctx, addr)
				}
				return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			}})
			ended := make(chan error, 1)
			go func() { ended <- cl.DropSpace(t.Context(), "orders", false) }()
			require.Equal(t, "orders", <-first.spaces.drops)
			c.moveTo(c.nodes[1])
			fail(first, &m)
			require.ErrorIs(t, <-ended, space.ErrOutcomeUnknown)
		})
	}
}

func TestDial_SeveralAddresses(t *testing.T) {
	t.Parallel()
	c, ctx := startCluster(t), t.Context()
	c.nodes[0].kill()
	c.moveTo(c.nodes[1])
	cl, err := client.DialConfig(ctx, client.Config{
		Addr: c.nodes[0].addr + ", " + c.nodes[1].addr, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	})
	require.NoError(t, err, "the first that answers")
	defer cl.Close()
	_, err = space.Write(ctx, cl, job{ID: 1})
	require.NoError(t, err)
	_, tx, err := space.TakeTxn(ctx, cl, job{ID: 1})
	require.NoError(t, err)

	c.nodes[0].start()
	c.moveTo(c.nodes[0])
	c.nodes[1].kill()
	_, err = space.Write(ctx, cl, job{ID: 2})
	require.NoError(t, err, "the next when one is gone")
	require.NoError(t, tx.Commit(ctx))
	_, err = space.Write(ctx, cl.SpaceNamed("new"), job{ID: 3})
	require.NoError(t, err)

	c.nodes[1].start()
	c.moveTo(c.nodes[1])
	require.Equal(t, 1, countJobs(t, cl), "and back")
}

func TestDial_NoAddressAnswers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.nodes[0].kill()
	c.nodes[1].kill()
	_, err := client.Dial(t.Context(), c.nodes[0].addr+","+c.nodes[1].addr)
	require.ErrorContains(t, err, c.nodes[0].addr)
	require.ErrorContains(t, err, c.nodes[1].addr)
	for _, addr := range []string{"", "a:1,", ",a:1", "a:1,,b:1"} {
		_, err := client.Dial(t.Context(), addr)
		require.ErrorContains(t, err, "empty", addr)
	}
}
