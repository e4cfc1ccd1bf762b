package client_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// A wait bounds how long a take waits for a match. That of a take whose answer was lost is over long before the server
// is back, and the take returns what it took all the same.
func TestWait_BoundsNoRepeat(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]space.WaitOption{
		"a short wait": space.Wait(time.Millisecond),
		"no wait":      space.NoWait(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, server.Config{})
			var d deaf
			g := gate{dialer: d.dial}
			c := n.dial(client.Config{Grace: time.Millisecond, Dial: g.dial})
			_, err := space.Write(t.Context(), c, job{ID: 1})
			require.NoError(t, err)
			var got job
			require.NoError(t, d.lose(t, n, c, func() (err error) {
				got, err = space.Take(t.Context(), c, job{}, opt)
				return err
			}, func() { g.awaitFailed(t, 20) }))
			require.Equal(t, job{ID: 1}, got)
		})
	}
}

// While there is no server, calls with a limited wait, and those that do not wait, end after their wait and
// Config.Grace; others wait until their context ends.
func TestWait_HasOneBoundWithoutServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{Grace: time.Millisecond})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	n.kill()
	for _, opt := range []space.WaitOption{space.NoWait(), space.Wait(time.Millisecond)} {
		_, err := space.Read(t.Context(), c, job{}, opt)
		require.ErrorIs(t, err, space.ErrUnavailable)
		_, err = space.Take(t.Context(), c, job{}, opt)
		require.ErrorIs(t, err, space.ErrUnavailable)
		_, _, err = space.TakeTxn(t.Context(), c, job{}, opt)
		require.ErrorIs(t, err, space.ErrUnavailable)
	}
	_, err = c.SpaceNamed("not yet open").Take(t.Context(), space.Query{Templates: mustTemplates(), NoWait: true})
	require.ErrorIs(t, err, space.ErrUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = space.Take(ctx, c, job{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A read that was sent before the connection was lost has the same bound: its answer will not come, and it changes
// nothing.
func TestWait_BoundsReadsInFlight(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var d deaf
	c := n.dial(client.Config{Grace: time.Millisecond, Dial: d.dial})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	d.stop()
	ended := make(chan error, 2)
	go func() { _, err := space.Read(t.Context(), c, job{}, space.NoWait()); ended <- err }()
	go func() { _, err := space.Read(t.Context(), c, job{ID: 2}, space.Wait(time.Millisecond)); ended <- err }()
	n.kill()
	for range 2 {
		require.ErrorIs(t, <-ended, space.ErrUnavailable)
	}
}

// gate counts the connections that could not be made.
type gate struct {
	dialer func(ctx context.Context, addr string) (net.Conn, error)
	failed atomic.Int64
}

func (g *gate) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := g.dialer(ctx, addr)
	if err != nil {
		g.failed.Add(1)
		return nil, err
	}
	return c, nil
}

// awaitFailed waits until n more connections could not be made.
func (g *gate) awaitFailed(t *testing.T, n int64) {
	t.Helper()
	to := g.failed.Load() + n
	require.Eventually(t, func() bool { return g.failed.Load() >= to }, time.Minute, time.Millisecond)
}
