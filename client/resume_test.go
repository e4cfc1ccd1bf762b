package client_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// faults makes connections that fail after a random number of bytes, in the middle of a frame as likely as not.
type faults struct {
	calm   atomic.Bool // connections that are made now do not fail
	refuse atomic.Bool // no connection can be made
	faults atomic.Int64
}

var errFault = errors.New("injected fault")

func (f *faults) dial(ctx context.Context, addr string) (net.Conn, error) {
	if f.refuse.Load() {
		return nil, errFault
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil || f.calm.Load() {
		return c, err
	}
	fc := &faultConn{Conn: c, f: f}
	fc.in.Store(500 + rand.Int64N(20_000))
	fc.out.Store(500 + rand.Int64N(20_000))
	return fc, nil
}

// faultConn fails once it has passed that many bytes.
type faultConn struct {
	net.Conn
	f       *faults
	in, out atomic.Int64
}

func (c *faultConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 700)])
	if c.in.Add(int64(-n)) < 0 {
		return 0, c.fail()
	}
	return n, err
}

func (c *faultConn) Write(b []byte) (int, error) {
	left := c.out.Load()
	if int64(len(b)) <= left {
		n, err := c.Conn.Write(b)
		c.out.Add(int64(-n))
		return n, err
	}
	n, _ := c.Conn.Write(b[:max(left, 0)])
	return n, c.fail()
}

func (c *faultConn) fail() error {
	c.f.faults.Add(1)
	c.Conn.Close()
	return errFault
}

// Whatever happens to its connections, a client that comes back in time sees every call happen exactly once.
func TestClient_ResumesWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var f faults
	f.calm.Store(true)
	c := n.dial(client.Config{Dial: f.dial, Conns: 2})
	f.calm.Store(false)
	n.dropConnections()

	const callers, each = 32, 200
	var seen sync.Map
	var work sync.WaitGroup
	for w := range callers {
		work.Go(func() {
			for i := range each {
				_, err := space.Write(t.Context(), c,
					job{ID: int64(w*each + i), State: "new", Payload: make([]byte, rand.IntN(300))})
				if !assertNoError(t, err) {
					return
				}
			}
		})
		work.Go(func() {
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
	work.Wait()
	count := 0
	seen.Range(func(any, any) bool { count++; return true })
	require.Equal(t, callers*each, count)
	_, err := space.Read(t.Context(), c, job{}, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
	require.Positive(t, f.faults.Load())
	require.Positive(t, n.srv.Stats().Resumed)
	t.Logf("%d connections failed", f.faults.Load())
}

func assertNoError(t *testing.T, err error) bool {
	t.Helper()
	if err != nil {
		t.Errorf("%v", err)
	}
	return err == nil
}
