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

// otherAddr returns another address of a server, which is that of a relay. cut ends what goes through, without a word
// to either side.
func otherAddr(t *testing.T, n *node) (addr string, cut func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	var silent atomic.Bool
	relay := func(to, from net.Conn) {
		defer to.Close()
		buf := make([]byte, 1<<16)
		for {
			k, err := from.Read(buf)
			if err != nil {
				return
			}
			if !silent.Load() {
				_, _ = to.Write(buf[:k])
			}
		}
	}
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", n.addr)
			if err != nil {
				here.Close()
				continue
			}
			go relay(here, there)
			go relay(there, here)
		}
	}()
	return l.Addr().String(), func() { silent.Store(true) }
}

// A server may have several addresses. When one of them falls silent the client goes on at another, and its calls in
// flight happen once.
func TestAddresses_OfOneServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{Data: "its"})
	first, cut := otherAddr(t, n)
	c, err := client.DialConfig(t.Context(), client.Config{Addr: first + "," + n.addr, MinBackoff: time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	tx := begin(t, c)
	_, err = space.Write(t.Context(), c, job{ID: 1}, space.In(tx))
	require.NoError(t, err)
	taken := make(chan job, 1)
	go func() {
		j, err := space.Take(t.Context(), c, job{ID: 2})
		if err == nil {
			taken <- j
		}
	}()
	n.awaitWaiting("default", 1)

	cut()
	_, err = space.Write(t.Context(), c, job{ID: 2})
	require.NoError(t, err)
	require.Equal(t, job{ID: 2}, <-taken)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 1, countJobs(t, c))
}

// Servers that have nothing to do with each other are not taken for one.
func TestAddresses_OfDifferentServers(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string][2]server.Config{
		"two alone":               {{Data: "a"}, {Data: "b"}},
		"one alone and a cluster": {{Data: "a"}, {Cluster: "c", Node: "n1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := startNode(t, cfg[0]), startNode(t, cfg[1])
			_, err := client.DialConfig(t.Context(), client.Config{Addr: a.addr + "," + b.addr})
			require.ErrorIs(t, err, space.ErrInvalidArgument)
			require.ErrorContains(t, err, a.addr+" and "+b.addr+" are different servers")

			// One that does not answer at first is noticed when it does.
			b.kill()
			c, err := client.DialConfig(t.Context(), client.Config{
				Addr: a.addr + "," + b.addr, Grace: 100 * time.Millisecond, MinBackoff: time.Millisecond,
				MaxBackoff: 10 * time.Millisecond,
			})
			require.NoError(t, err)
			defer c.Close()
			_, err = space.Write(t.Context(), c, job{ID: 1})
			require.NoError(t, err)
			b.start()
			a.kill()
			for range 5 {
				_, err := space.Read(t.Context(), c, job{}, space.NoWait())
				require.ErrorIs(t, err, space.ErrUnavailable)
			}
			a.start()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err = space.Read(ctx, c, job{ID: 1})
			require.NoError(t, err)
		})
	}
}
