package spacetest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestExactlyOnce cuts connections wherever it happens to be, before a request has arrived, after it was executed,
// inside the answer, and kills the server's process with SIGKILL, again and again. The callers do not notice: each
// write happens once, and each entry is taken once.
//
// SOAK_REPEAT is the number of writes, and of takes, for a longer run (make soak-repeat).
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	writes, every, passes := 10_000, 200*time.Millisecond, int64(64<<10)
	if n, err := strconv.Atoi(os.Getenv("SOAK_REPEAT")); err == nil {
		writes, every, passes = n, 3*time.Second, 1<<20
	}
	e := &exactly{
		t: t, server: spacetest.Server(t, spacetest.ServerConfig{Process: true}),
		writes: writes, passes: passes, taken: make([]atomic.Bool, writes),
	}
	done := make(chan struct{})
	go func() { e.work(); close(done) }()
	kills := 0
	for ; ; kills++ {
		select {
		case <-done:
			e.judge()
			t.Logf("%d writes and takes; the server was killed %d times, %d connections were cut", writes, kills, e.cuts.Load())
			return
		case <-time.After(rand.N(every)):
		}
		e.server.Kill()
		e.server.Start()
	}
}

// exactly is one run: writers and takers, each call of which is made once and must succeed.
type exactly struct {
	t      *testing.T
	server *spacetest.ServerHandle
	writes int
	passes int64         // how many bytes a connection lets pass at most, each way
	next   atomic.Int64  // number of the next write
	left   atomic.Int64  // takes that are yet to come
	taken  []atomic.Bool // by the number of the write
	cuts   atomic.Int64
}

type parcel struct {
	Number  int
	Content []byte
}

func (e *exactly) work() {
	const clients, workers = 3, 16
	e.left.Store(int64(e.writes))
	ctx, cancel := context.WithCancel(e.t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range clients {
		sp := e.dial()
		for range workers {
			all.Go(func() { e.write(ctx, sp) })
			all.Go(func() { e.take(ctx, cancel, sp) })
		}
	}
	all.Wait()
}

func (e *exactly) write(ctx context.Context, sp space.Space) {
	for n := e.next.Add(1) - 1; n < int64(e.writes); n = e.next.Add(1) - 1 {
		if _, err := space.Write(ctx, sp, parcel{int(n), make([]byte, rand.IntN(200))}); err != nil {
			e.t.Errorf("write %d: %v", n, err)
		}
	}
}

// take takes until everything that was written is taken; done ends the waits of the others.
func (e *exactly) take(ctx context.Context, done func(), sp space.Space) {
	for e.left.Load() > 0 {
		got, err := e.takeSome(ctx, sp)
		if err != nil && ctx.Err() == nil {
			e.t.Errorf("take: %v", err)
		}
		for _, p := range got {
			if e.taken[p.Number].Swap(true) {
				e.t.Errorf("%d was taken twice", p.Number)
			}
		}
		if e.left.Add(-int64(len(got))) <= 0 {
			done()
		}
	}
}

func (e *exactly) takeSome(ctx context.Context, sp space.Space) ([]parcel, error) {
	if rand.IntN(8) == 0 {
		return space.TakeAll(ctx, sp, parcel{}, 3)
	}
	p, err := space.Take(ctx, sp, parcel{})
	if err != nil {
		return nil, err
	}
	return []parcel{p}, nil
}

func (e *exactly) judge() {
	for n := range e.taken {
		require.True(e.t, e.taken[n].Load(), "%d was never taken", n)
	}
	n, err := space.Count(e.t.Context(), e.dial(), parcel{})
	require.NoError(e.t, err)
	require.Zero(e.t, n, "more was written than should be")
}

// dial returns a client whose connections are cut.
func (e *exactly) dial() space.Space {
	cfg := client.Config{
		Addr: e.server.Addr(), Conns: 2, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		Dial: e.connect,
	}
	c, err := client.DialConfig(e.t.Context(), cfg)
	for ; err != nil; c, err = client.DialConfig(e.t.Context(), cfg) { // the server is just being killed
		require.NoError(e.t, e.t.Context().Err())
	}
	e.t.Cleanup(func() { c.Close() })
	return c
}

func (e *exactly) connect(ctx context.Context, _ string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", e.server.Addr())
	if err != nil {
		return nil, err
	}
	cut := &cutConn{Conn: c, cuts: &e.cuts}
	cut.in.Store(2000 + rand.Int64N(e.passes))
	cut.out.Store(2000 + rand.Int64N(e.passes))
	return cut, nil
}

// cutConn is cut after so many bytes in one direction or the other.
type cutConn struct {
	net.Conn
	cuts    *atomic.Int64
	in, out atomic.Int64
}

var errCut = errors.New("cut")

func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if left := c.in.Add(int64(-n)); left < 0 && err == nil {
		return max(0, n+int(left)), c.cut() // what is behind the cut was sent, and never arrives
	}
	return n, err
}

func (c *cutConn) Write(b []byte) (int, error) {
	if left := c.out.Load(); int64(len(b)) > left {
		n, _ := c.Conn.Write(b[:max(0, left)])
		return n, c.cut()
	}
	n, err := c.Conn.Write(b)
	c.out.Add(int64(-n))
	return n, err
}

func (c *cutConn) cut() error {
	c.cuts.Add(1)
	c.Conn.Close()
	return errCut
}
