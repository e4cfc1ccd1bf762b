package spacetest_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/spacetest"
)

// failover is a cluster of processes whose primary fails, in one way or another, under programs that go on.
type failover struct {
	*testing.T
	*spacetest.ClusterHandle
	sp     *client.Client // dialled with the address of one node
	pauses []time.Duration
}

func newFailover(t *testing.T) *failover { return newFailoverOf(t, spacetest.ClusterConfig{}) }

func newFailoverOf(t *testing.T, cfg spacetest.ClusterConfig) *failover {
	if testing.Short() {
		t.Skip("starts processes")
	}
	cfg.Process = true
	c := spacetest.StartCluster(t, cfg)
	f := &failover{T: t, ClusterHandle: c}
	f.sp = f.dial()
	return f
}

// dial returns a client that knows one address: it has to find the other nodes by itself.
func (f *failover) dial() *client.Client {
	return f.Nodes[0].Dial(f, client.DefaultSpace)
}

// primary returns the node that serves the default space.
func (f *failover) primary() *spacetest.ClusterNode {
	var status struct {
		Cluster struct {
			Partitions []struct{ Space, Primary string }
		}
	}
	for {
		text, err := f.sp.Status(f.Context())
		if err == nil {
			require.NoError(f, json.Unmarshal(text, &status))
			for _, p := range status.Cluster.Partitions {
				if p.Space == client.DefaultSpace && p.Primary != "" {
					return f.Node(p.Primary)
				}
			}
		}
		require.NoError(f, f.Context().Err())
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// step is what a prober writes.
type step struct{ Number int }

// probe writes and takes, one after the other, during each of some disturbances, and notes the longest pause of each.
// Everything that was written is there once.
func (f *failover) probe(disturbances ...func()) {
	ctx, written := f.Context(), 0
	for _, disturb := range disturbances {
		done := make(chan struct{})
		go func() { defer close(done); disturb() }()
		longest, after := time.Duration(0), 0
		for after < 100 {
			began := time.Now()
			_, err := space.Write(ctx, f.sp, step{written + 1})
			require.NoError(f, err)
			written++
			n, err := space.Read(ctx, f.sp, step{written}, space.NoWait())
			require.NoError(f, err, "%d was written", written)
			require.Equal(f, step{written}, n)
			longest = max(longest, time.Since(began))
			select {
			case <-done:
				after++
			default:
			}
		}
		f.pauses = append(f.pauses, longest)
	}
	for n := range written {
		got, err := space.Take(ctx, f.sp, step{}, space.NoWait())
		require.NoError(f, err, "%d of %d", n, written)
		require.Equal(f, n+1, got.Number)
	}
	left, err := space.Count(ctx, f.sp, step{})
	require.NoError(f, err)
	require.Zero(f, left)
	f.tell(written)
}

// tell logs the pauses. How long they are is up to the machine, too.
func (f *failover) tell(written int) {
	slices.Sort(f.pauses)
	f.Logf("%d writes; pauses: median %v, worst %v, all %v", written, f.pauses[len(f.pauses)/2].Round(time.Millisecond),
		f.pauses[len(f.pauses)-1].Round(time.Millisecond), f.pauses)
}

// kill kills the primary and starts it again.
func (f *failover) kill() {
	n := f.primary()
	n.Kill()
	f.primaryOtherThan(n)
	n.Start()
}

// primaryOtherThan returns when another node than n is the primary.
func (f *failover) primaryOtherThan(n *spacetest.ClusterNode) {
	for f.primary() == n {
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// freeze stops the process of the primary as it stands, until another leads.
func (f *failover) freeze() {
	n := f.primary()
	n.Signal(syscall.SIGSTOP)
	f.primaryOtherThan(n)
	time.Sleep(time.Second) // so that it comes back to a changed world
	n.Signal(syscall.SIGCONT)
}

// restart stops the primary in good order and starts it again.
func (f *failover) restart() {
	n := f.primary()
	n.Stop()
	n.Start()
}

// rounds repeats a disturbance.
func rounds(n int, disturb func()) []func() { return slices.Repeat([]func(){disturb}, n) }

// failures returns how many times a test has the primary fail: FAILOVERS says so for a longer run.
func failures() int {
	if n, err := strconv.Atoi(os.Getenv("FAILOVERS")); err == nil {
		return n
	}
	return 2
}

func TestFailover_KilledPrimary(t *testing.T) {
	t.Parallel()
	f := newFailover(t)
	f.probe(rounds(failures(), f.kill)...)
}

func TestFailover_FrozenPrimary(t *testing.T) {
	t.Parallel()
	f := newFailover(t)
	f.probe(rounds(failures(), f.freeze)...)
}

func TestFailover_RestartedPrimary(t *testing.T) {
	t.Parallel()
	f := newFailover(t)
	f.probe(rounds(failures(), f.restart)...)
}

func TestFailover_AllNodesKilled(t *testing.T) {
	t.Parallel()
	f := newFailover(t)
	f.probe(func() {
		var all sync.WaitGroup
		for _, n := range f.Nodes {
			all.Go(n.Kill)
		}
		all.Wait()
		for _, n := range f.Nodes {
			all.Go(n.Start)
		}
		all.Wait()
	})
}

// What programs have in hand when the primary is killed goes on at another node: a transaction that has taken commits,
// a take that waits is served, and a listener hears each event once.
func TestFailover_WhatIsInHandGoesOn(t *testing.T) {
	t.Parallel()
	f := newFailover(t)
	ctx := f.Context()
	type result struct{ Of int }
	_, err := space.Write(ctx, f.sp, step{1})
	require.NoError(t, err)
	_, tx, err := space.TakeTxn(ctx, f.sp, step{})
	require.NoError(t, err)
	type call struct{ Number int }
	q, err := space.Match(ctx, f.sp, call{})
	require.NoError(t, err)
	reg, err := f.sp.Notify(ctx, q, space.EventTypes(space.Written), time.Hour)
	require.NoError(t, err)
	defer reg.Close()
	taken := make(chan error, 1)
	go func() { _, err := space.Take(ctx, f.sp, step{2}); taken <- err }()
	for n := 1; n <= 3; n++ {
		old := f.primary()
		old.Kill()
		_, err := space.Write(ctx, f.sp, call{n})
		require.NoError(t, err)
		old.Start()
	}
	_, err = space.Write(ctx, f.sp, result{1}, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	_, err = space.Read(ctx, f.sp, result{1}, space.NoWait())
	require.NoError(t, err)
	n, err := space.Count(ctx, f.sp, result{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = space.Write(ctx, f.sp, step{2})
	require.NoError(t, err)
	require.NoError(t, <-taken)
	for n := 1; n <= 3; n++ {
		e, err := reg.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, reg.Start()+uint64(n), e.Seq)
	}
}

// Each job has its effect once, whatever happens to the nodes.
func TestFailover_WorkGoesOn(t *testing.T) {
	t.Parallel()
	const jobs = 300
	f := newFailover(t)
	type job struct{ Number int }
	type result struct{ Of int }
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	var workers sync.WaitGroup
	var done atomic.Int64
	for range 2 {
		sp := f.dial()
		workers.Go(func() {
			err := work.Run(ctx, sp, job{}, func(ctx context.Context, j *work.Job[job]) error {
				done.Add(1)
				return j.Stage(ctx, result{j.Value.Number})
			}, work.Config{Workers: 4})
			if err != nil {
				t.Errorf("work: %v", err)
			}
		})
	}
	for n := 1; n <= jobs; n++ {
		_, err := space.Write(ctx, f.sp, job{n})
		require.NoError(t, err)
		if n%100 == 50 {
			f.kill()
		}
	}
	for n := 1; n <= jobs; n++ { // zero would match any
		_, err := space.Take(ctx, f.sp, result{n})
		require.NoError(t, err, "result %d", n)
	}
	cancel()
	workers.Wait()
	left, err := space.Count(f.Context(), f.sp, result{})
	require.NoError(t, err)
	require.Zero(t, left)
	t.Logf("%d attempts at %d jobs", done.Load(), jobs)
}
