package client_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// deaf makes connections over which nothing arrives any more once it has stopped to listen to them: calls are executed,
// and their answers lost.
type deaf struct{ heard atomic.Int64 } // how often it has stopped

type deafConn struct {
	net.Conn
	d    *deaf
	made int64 // after it had stopped so often
}

// stop makes the connections that there are deaf for good.
func (d *deaf) stop() { d.heard.Add(1) }

func (d *deaf) dial(ctx context.Context, addr string) (net.Conn, error) {
	made := d.heard.Load()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	return deafConn{c, d, made}, err
}

func (c deafConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || c.d.heard.Load() == c.made {
			return n, err
		}
	}
}

// lose makes a call, loses its answer, and everything that the server knows of the client's connection, and returns the
// call's error. meanwhile is called once the call has been executed, before the server is back.
func (d *deaf) lose(t *testing.T, n *node, c *client.Client, call func() error, meanwhile func()) error {
	t.Helper()
	_, err := space.Count(t.Context(), c, job{}) // so that the connection is there, and knows the kind
	require.NoError(t, err)
	p := n.partition()
	before := p.Stats().LSN
	d.stop()
	done := make(chan error, 1)
	go func() { done <- call() }()
	require.Eventually(t, func() bool { return p.Stats().LSN > before }, time.Minute, time.Millisecond)
	n.kill()
	meanwhile()
	n.start()
	return <-done
}

// An abort takes effect although no caller waits for it any more: it must not be reported as having changed nothing.
func TestAbort_GivenUpHasAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c, other := n.dial(client.Config{Dial: d.dial, Grace: 10 * time.Millisecond}), n.dial(client.Config{})
	tx, err := space.Begin(t.Context(), c)
	require.NoError(t, err)
	d.stop()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tx.Abort(ctx) }()
	require.Eventually(t, func() bool {
		_, err := space.Count(t.Context(), other, job{}, space.In(space.TxnOf(other, tx.ID())))
		return errors.Is(err, space.ErrTxnEnded)
	}, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, space.ErrOutcomeUnknown)
}

func TestRepeat_EveryCallWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial})
	ctx := t.Context()
	nothing := func() {}
	count := func(want int) {
		t.Helper()
		got, err := space.Count(ctx, c, job{})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := space.Write(ctx, c, job{ID: 1, State: "new"})
	require.NoError(t, err)
	lease, err := space.Write(ctx, c, job{ID: 2, State: "old"}, space.For(time.Hour))
	require.NoError(t, err)

	var granted *space.Lease
	require.NoError(t, d.lose(t, n, c, func() (err error) {
		granted, err = space.Write(ctx, c, job{ID: 3, State: "written"}, space.For(time.Minute))
		return err
	}, nothing))
	require.Equal(t, time.Minute, granted.Granted())
	count(3)

	var got job
	require.NoError(t,
		d.lose(t, n, c, func() (err error) { got, err = space.Take(ctx, c, job{State: "new"}); return err }, nothing))
	require.Equal(t, job{ID: 1, State: "new"}, got)
	count(2)

	var several []job
	require.NoError(t,
		d.lose(t, n, c, func() (err error) { several, err = space.TakeAll(ctx, c, job{}, 5); return err }, nothing))
	require.Len(t, several, 2)
	count(0)

	lease, err = space.Write(ctx, c, job{ID: 4, State: "new"}, space.For(time.Hour))
	require.NoError(t, err)
	require.NoError(t, d.lose(t, n, c, func() error { _, err := lease.Renew(ctx, 2*time.Hour); return err }, nothing))

	var version uint32
	require.NoError(t, d.lose(t, n, c, func() (err error) {
		// Replace would read first.
		version, err = c.Update(ctx, txn.ID{}, space.Change{ID: lease.ID(), Version: 1, Kind: "job"})
		return err
	}, nothing))
	require.Equal(t, uint32(2), version)

	require.NoError(t, d.lose(t, n, c, func() error { return lease.Cancel(ctx) }, nothing))
	count(0)

	tx := begin(t, c)
	require.NoError(t, space.Stage(ctx, tx, job{ID: 5}))
	require.NoError(t, d.lose(t, n, c, func() error { return tx.Commit(ctx) }, nothing))
	count(1)

	var reg space.Registration
	require.NoError(t, d.lose(t, n, c, func() (err error) {
		reg, err = c.Notify(ctx, mustMatch(t, c, job{}), 0, space.Forever)
		return err
	}, func() {}))
	_, err = space.Write(ctx, c, job{ID: 6})
	require.NoError(t, err)
	ev, err := reg.Next(ctx)
	require.NoError(t, err)
	require.Equal(t, reg.Start()+1, ev.Seq)
}

// A registration whose answer was lost gets the events from its beginning.
func TestRepeat_RegistrationsMissNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial})
	query := mustMatch(t, c, job{})
	local := local.New(n.partition(), nil)
	var reg space.Registration
	require.NoError(t, d.lose(t, n, c, func() (err error) {
		reg, err = c.Notify(t.Context(), query, 0, space.Forever)
		return err
	}, func() {
		for i := range int64(10) {
			_, err := space.Write(t.Context(), local, job{ID: i})
			require.NoError(t, err)
		}
	}))
	for i := range uint64(10) {
		ev, err := reg.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, reg.Start()+1+i, ev.Seq)
		require.Equal(t, space.Written, ev.Type)
	}
}

// A caller that stops waiting learns the outcome, and nothing happens later on its behalf.
func TestRepeat_AfterTheContextHasEnded(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial, Grace: time.Minute})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, d.lose(t, n, c, func() error { _, err := space.Take(ctx, c, job{ID: 1}); return err }, cancel),
		"it was taken")

	// A take that waits when the connection is lost has taken nothing, and does not when it comes back.
	var f faults
	f.calm.Store(true)
	c = n.dial(client.Config{Dial: f.dial, Grace: time.Minute})
	ctx, cancel = context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := space.Take(ctx, c, job{ID: 2}); done <- err }()
	n.awaitWaiting("default", 1)
	f.refuse.Store(true)
	n.kill()
	n.awaitWaiting("default", 0)
	cancel()
	local := local.New(n.partition(), nil)
	_, err = space.Write(t.Context(), local, job{ID: 2})
	require.NoError(t, err)
	n.start()
	f.refuse.Store(false)
	require.ErrorIs(t, <-done, context.Canceled)
	_, err = space.Take(t.Context(), local, job{ID: 2}, space.NoWait())
	require.NoError(t, err, "it is still there")
}

// If the outcome cannot be known, the client says so.
func TestRepeat_WhatTheSpaceHasForgottenIsUnknown(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(n *node){
		"the space is another": func(n *node) { n.spaces.forget() },
		"the client was away for too long": func(n *node) {
			require.Eventually(t, func() bool { return n.partition().Stats().Sessions == 0 }, time.Minute, time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, server.Config{})
			n.spaces.cfg.SessionGrace = 100 * time.Millisecond
			n.start()
			var d deaf
			c := n.dial(client.Config{Dial: d.dial})
			_, err := space.Write(t.Context(), c, job{ID: 1})
			require.NoError(t, err)
			err = d.lose(t, n, c, func() error { _, err := space.Take(t.Context(), c, job{}); return err }, func() { forget(n) })
			require.ErrorIs(t, err, space.ErrOutcomeUnknown)
			_, err = space.Write(t.Context(), c, job{ID: 2})
			require.NoError(t, err, "the next call is as good as any")
		})
	}
}

// No call waits for a log that is lost: an operator may take hours, and drop the space.
func TestRepeat_DoesNotWaitForALostLog(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	err = d.lose(t, n, c, func() error { _, err := space.Take(t.Context(), c, job{}); return err }, func() {
		n.spaces.mu.Lock()
		n.spaces.refuse = func(txn.Address) error { return call.ErrLogLost }
		n.spaces.mu.Unlock()
	})
	require.ErrorIs(t, err, space.ErrOutcomeUnknown)
	require.ErrorContains(t, err, call.ErrLogLost.Error())
	_, err = space.Write(t.Context(), c, job{ID: 2})
	require.ErrorIs(t, err, space.ErrUnavailable)
}

// A call under a transaction ends with its session.
func TestRepeat_NotUnderTransactions(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial})
	tx := begin(t, c)
	ended := make(chan error, 1)
	go func() { _, err := space.Take(t.Context(), c, job{ID: 1}, space.In(tx)); ended <- err }()
	n.awaitWaiting("default", 1)
	d.stop()
	n.kill()
	n.start()
	require.ErrorIs(t, <-ended, space.ErrTxnEnded)
}

// A take under a transaction of its own is made again: what it began has ended with its session.
func TestRepeat_TakesThatBeginTransactionsAreMadeAgain(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial})
	_, err := space.Write(t.Context(), c, job{ID: 1, State: "new"})
	require.NoError(t, err)
	d.stop()
	done := make(chan error, 1)
	var got job
	var tx *space.Txn
	go func() {
		var err error
		got, tx, err = space.TakeTxn(t.Context(), c, job{State: "new"})
		done <- err
	}()
	local := local.New(n.partition(), nil)
	require.Eventually(t, func() bool { return countJobs(t, local) == 0 }, time.Minute, time.Millisecond)
	n.kill()
	n.start()
	require.NoError(t, <-done)
	require.Equal(t, int64(1), got.ID)
	require.NoError(t, tx.Commit(t.Context()))
	require.Zero(t, countJobs(t, c))
}

// A server that knows nothing of repeated calls is not asked.
func TestRepeat_NotWithServersThatDoNotKnow(t *testing.T) {
	t.Parallel()
	s := &forgetful{}
	c, err := client.DialConfig(t.Context(), client.Config{Addr: "forgetful", Dial: s.dial, MinBackoff: time.Millisecond})
	require.NoError(t, err)
	require.ErrorIs(t, c.Cancel(t.Context(), 1), space.ErrOutcomeUnknown)
	require.NoError(t, c.Close())
}

// forgetful is a server that resumes no session, cannot repeat calls, and closes the connection instead of executing a
// Cancel.
type forgetful struct{}

func (s *forgetful) dial(context.Context, string) (net.Conn, error) {
	here, there := net.Pipe()
	go s.serve(there)
	return here, nil
}

func (s *forgetful) serve(conn net.Conn) {
	defer conn.Close()
	in := wire.NewReader(conn, wire.DefaultMaxFrame)
	for {
		f, ok, err := in.Next()
		if err == nil && !ok {
			err = in.Fill()
		}
		if err != nil {
			return
		}
		switch {
		case !ok:
			continue
		case f.Type == wire.Hello:
			_, err = conn.Write(wire.AppendWelcome(nil, &wire.Terms{
				Version: wire.Version, Offers: []string{wire.CapSpaces}, MaxFrame: wire.DefaultMaxFrame, Idle: time.Hour,
				Session: []byte{1},
			}))
		case f.Type == wire.Open:
			_, err = conn.Write(wire.AppendFrame(nil, wire.Answer, f.ID,
				wire.AppendOpened(nil, &wire.Opened{Incarnation: "first"})))
		default:
			return
		}
		if err != nil {
			return
		}
	}
}

// Whatever happens to connections and servers, every write and every take happens exactly once.
func TestRepeat_WithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	for name, resume := range map[string]time.Duration{"sessions are resumed": 0, "sessions are lost": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, server.Config{Resume: resume})
			var f faults
			f.calm.Store(true)
			c := n.dial(client.Config{Dial: f.dial, Conns: 2})
			f.calm.Store(false)

			const callers, each = 16, 150
			var seen sync.Map
			var work sync.WaitGroup
			var left atomic.Int64
			left.Store(2 * callers)
			for w := range callers {
				work.Go(func() {
					defer left.Add(-1)
					for i := range each {
						_, err := space.Write(t.Context(), c,
							job{ID: int64(w*each + i), State: "new", Payload: make([]byte, rand.IntN(300))})
						if !assertNoError(t, err) {
							return
						}
					}
				})
				work.Go(func() {
					defer left.Add(-1)
					for range each {
						j, err := space.Take(t.Context(), c, job{State: "new"})
						if !assertNoError(t, err) {
							return
						}
						if _, twice := seen.LoadOrStore(j.ID, true); twice {
							t.Errorf("job %d was taken twice", j.ID)
						}
					}
				})
			}
			n.dropConnections()
			kills := 0
			for ; left.Load() > 0; kills++ {
				n.kill()
				n.start()
				time.Sleep(time.Duration(rand.IntN(int(30 * time.Millisecond)))) // some work between two kills
			}
			work.Wait()
			count := 0
			seen.Range(func(any, any) bool { count++; return true })
			require.Equal(t, callers*each, count)
			require.Zero(t, countJobs(t, c))
			t.Logf("%d servers were killed, %d connections failed", kills, f.faults.Load())
		})
	}
}
