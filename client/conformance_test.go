package client_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

func TestClient_Conforms(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var spaces atomic.Int64
	spacetest.Run(t, func(tb testing.TB) space.Space {
		c, err := client.DialConfig(tb.Context(),
			client.Config{Addr: n.addr, Space: fmt.Sprint("case-", spaces.Add(1)), Conns: 2})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.Close() })
		if err := c.CreateSpace(tb.Context(), c.Name()); err != nil {
			tb.Fatal(err)
		}
		p, _, err := n.spaces.make(c.Name())
		if err != nil {
			tb.Fatal(err)
		}
		return waiter{c, p.Partition}
	})
}

// waiter is a client that can tell how many calls wait on the server.
type waiter struct {
	*client.Client
	p *partition.Partition
}

func (w waiter) Waiting(context.Context) (int, error) { return w.p.Stats().Waiting, nil }
