package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

func TestDial_FailsAtOnceWithoutServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	l.Close()
	_, err = client.Dial(t.Context(), addr)
	require.ErrorContains(t, err, addr)
	_, err = client.Dial(t.Context(), "")
	require.Error(t, err)
	_, err = client.DialConfig(t.Context(), client.Config{Addr: addr, Conns: -1})
	require.ErrorContains(t, err, "negative")
}

// Something else that listens at the address is no gospaces server, whatever it says: one line tells.
func TestDial_TellsWhatIsNoServer(t *testing.T) {
	t.Parallel()
	for says, answer := range map[string]func(nc net.Conn){
		"closes the connection":              func(nc net.Conn) { _ = nc.Close() },
		"not of the protocol":                func(nc net.Conn) { _, _ = nc.Write([]byte("SSH-2.0-OpenSSH_9.6\r\n")) },
		"no answer to the handshake within ": func(net.Conn) {},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			go func() {
				if nc, err := l.Accept(); err == nil {
					answer(nc)
					_, _ = io.Copy(io.Discard, nc) // until the client goes
				}
			}()
			cfg := client.Config{Addr: l.Addr().String()}
			if strings.HasPrefix(says, "no answer") {
				cfg.DialTimeout = 100 * time.Millisecond
			}
			_, err = client.DialConfig(t.Context(), cfg)
			require.ErrorIs(t, err, client.ErrNotServer)
			require.Equal(t, strings.HasPrefix(says, "no answer"), errors.Is(err, client.ErrNoAnswer))
			require.ErrorContains(t, err, says)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestDial_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it never answers
	require.NoError(t, err)
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if c, err := l.Accept(); err == nil {
			cancel()
			defer c.Close()
			<-t.Context().Done()
		}
	}()
	_, err = client.Dial(ctx, l.Addr().String())
	require.ErrorIs(t, err, context.Canceled)
}

func TestDial_TellsWhyItWasRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{MaxConns: 1})
	n.dial(client.Config{})
	_, err := client.Dial(t.Context(), n.addr)
	require.ErrorIs(t, err, wire.ErrBusy)
	_, err = client.DialConfig(t.Context(), client.Config{Addr: n.addr, Space: "-"})
	require.Error(t, err)
}

// A server that is restarted has forgotten sessions; calls that come later, reads that wait and registrations do not
// notice.
func TestClient_SurvivesARestart(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	_, err := space.Write(t.Context(), c, job{ID: 1, State: "new"})
	require.NoError(t, err)
	reg, err := c.Notify(t.Context(), mustMatch(t, c, job{}), 0, space.Forever)
	require.NoError(t, err)
	read := make(chan job, 1)
	go func() {
		j, err := space.Read(t.Context(), c, job{State: "done"})
		if err == nil {
			read <- j
		}
	}()
	n.awaitWaiting("default", 1)
	n.kill()
	n.start()
	n.awaitWaiting("default", 1)
	_, err = space.Write(t.Context(), c, job{ID: 2, State: "done"})
	require.NoError(t, err)
	require.Equal(t, int64(2), (<-read).ID)
	ev, err := reg.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, reg.Start()+1, ev.Seq)
	_, err = space.Take(t.Context(), c, job{ID: 1}, space.NoWait())
	require.NoError(t, err)
}

func mustMatch(t *testing.T, sp space.Space, templates ...any) space.Query {
	t.Helper()
	q, err := space.Match(t.Context(), sp, templates...)
	require.NoError(t, err)
	return q
}

// Waiting takes that a shutdown interrupts have taken nothing, and wait on at the next server.
func TestClient_TakesWaitOnAfterAGracefulShutdown(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	got := make(chan error, 1)
	go func() {
		_, err := space.Take(t.Context(), c, job{State: "new"})
		got <- err
	}()
	n.awaitWaiting("default", 1)
	require.NoError(t, n.srv.Shutdown(t.Context()))
	n.kill()
	n.awaitWaiting("default", 0)
	n.start()
	n.awaitWaiting("default", 1)
	_, err := space.Write(t.Context(), n.dial(client.Config{}), job{State: "new"})
	require.NoError(t, err)
	require.NoError(t, <-got)
}

// A take that was sent to a server which is gone waits on at the next one.
func TestClient_TakesSentToALostServerAreRepeated(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var f faults
	f.calm.Store(true)
	c := n.dial(client.Config{Dial: f.dial})
	got := make(chan error, 1)
	go func() {
		_, err := space.Take(t.Context(), c, job{State: "new"})
		got <- err
	}()
	n.awaitWaiting("default", 1)
	f.refuse.Store(true)
	n.dropConnections() // the take is parked, and then its session forgotten
	n.awaitWaiting("default", 0)
	n.kill()
	n.start()
	f.refuse.Store(false)
	n.awaitWaiting("default", 1)
	_, err := space.Write(t.Context(), c, job{ID: 1, State: "new"})
	require.NoError(t, err)
	require.NoError(t, <-got)
}

// When the space has lost everything, kinds and registrations included, nothing of the old one is mistaken for the new.
func TestClient_NoticesAnotherIncarnation(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	type other struct{ Name string }
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	_, err = space.Write(t.Context(), c, other{"x"})
	require.NoError(t, err)
	reg, err := c.Notify(t.Context(), mustMatch(t, c, job{}), 0, space.Forever)
	require.NoError(t, err)
	n.kill()
	n.spaces.forget()
	n.start()
	_, err = reg.Next(t.Context())
	require.ErrorIs(t, err, space.ErrLeaseEnded)
	_, err = space.Write(t.Context(), c, other{"y"})
	require.NoError(t, err)
	got, err := space.Take(t.Context(), c, other{})
	require.NoError(t, err)
	require.Equal(t, other{"y"}, got)
	_, err = space.Read(t.Context(), c, job{}, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
}

// An iteration that began at a server which is gone ends with an error, never as if it were complete.
func TestClient_IterationsDoNotOutliveTheServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	for i := range int64(1000) {
		_, err := space.Write(t.Context(), c, job{ID: i})
		require.NoError(t, err)
	}
	yielded := 0
	var err error
	for _, err = range space.Contents(t.Context(), c, job{}) {
		if yielded++; yielded == 1 {
			n.kill()
			n.start()
		}
	}
	require.ErrorIs(t, err, space.ErrUnavailable)
	require.Less(t, yielded, 1000)
}

// What has no connection waits for one as long as its context lets it.
func TestClient_CallsWaitForTheServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{Grace: time.Millisecond})
	n.kill()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := space.Read(ctx, c, job{}, space.NoWait())
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Read(t.Context(), space.Query{Templates: mustTemplates(), Wait: time.Millisecond})
	require.ErrorIs(t, err, space.ErrUnavailable, "the time of its wait is over")

	written := make(chan error, 1)
	go func() {
		_, err := space.Write(t.Context(), c, job{ID: 5})
		written <- err
	}()
	n.start()
	require.NoError(t, <-written)
}

func TestClient_CloseEndsWaits(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	reg, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, space.Forever)
	require.NoError(t, err)
	ended := make(chan error, 3)
	go func() { _, err := space.Take(t.Context(), c, job{}); ended <- err }()
	go func() { _, err := space.Read(t.Context(), c, job{}); ended <- err }()
	go func() { _, err := reg.Next(t.Context()); ended <- err }()
	n.awaitWaiting("default", 2)
	require.NoError(t, c.Close())
	for range 3 {
		require.ErrorIs(t, <-ended, space.ErrClosed)
	}
	_, err = space.Write(t.Context(), c, job{})
	require.ErrorIs(t, err, space.ErrClosed)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return n.srv.Stats().Sessions == 0 }, time.Minute, time.Millisecond,
		"it said goodbye")
}

// The client gives a call whose context has ended the time to learn its outcome, and no more.
func TestClient_UnansweredTakesHaveAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var stuck stuckDialer
	c := n.dial(client.Config{Dial: stuck.dial, Grace: 10 * time.Millisecond})
	_, err := space.Count(t.Context(), c, job{})
	require.NoError(t, err)
	stuck.stop()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { _, err := space.Take(ctx, c, job{}); ended <- err }()
	go func() { _, err := space.Write(ctx, c, job{}); ended <- err }()
	cancel()
	for range 2 {
		err := <-ended
		require.True(t, errors.Is(err, space.ErrOutcomeUnknown) || errors.Is(err, context.Canceled), "%v", err)
	}
}

// stuckDialer makes connections whose writes go nowhere once it is stopped.
type stuckDialer struct{ conn *stuckConn }

type stuckConn struct {
	net.Conn
	stuck chan struct{}
}

func (d *stuckDialer) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	d.conn = &stuckConn{c, make(chan struct{})}
	return d.conn, err
}

func (d *stuckDialer) stop() { close(d.conn.stuck) }

func (c *stuckConn) Write(b []byte) (int, error) {
	select {
	case <-c.stuck:
		return len(b), nil
	default:
		return c.Conn.Write(b)
	}
}

func TestClient_LeavesNoGoroutinesBehind(t *testing.T) {
	// Not parallel: it counts the goroutines of this package's code.
	n := startNode(t, server.Config{})
	for range 10 {
		c := n.dial(client.Config{Conns: 3})
		_, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, space.Forever)
		require.NoError(t, err)
		n.dropConnections()
		_, err = c.Echo(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	n.kill()
	require.Eventually(t, func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "client.(*link)") && !strings.Contains(stacks, "server.(*")
	}, time.Minute, 10*time.Millisecond)
}

// Callers do not notice that the server is restarted in good order.
func TestClient_GracefulRestartsGoUnnoticed(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{Conns: 2})
	stop := make(chan struct{})
	var work sync.WaitGroup
	for w := range int64(16) {
		work.Go(func() {
			for i := int64(1); ; i++ { // 0 would be a wildcard
				select {
				case <-stop:
					return
				default:
				}
				_, err := space.Write(t.Context(), c, job{ID: w<<32 | i, State: "new"})
				if !assertNoError(t, err) {
					return
				}
				if _, err := space.Take(t.Context(), c, job{ID: w<<32 | i}); !assertNoError(t, err) {
					return
				}
			}
		})
	}
	for range 5 {
		_, err := c.Echo(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, n.srv.Shutdown(t.Context()))
		n.kill()
		n.start()
	}
	close(stop)
	work.Wait()
	left, err := space.Count(t.Context(), c, job{})
	require.NoError(t, err)
	require.Zero(t, left)
}
