package replication

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// door is the way of other nodes to a node.
type door struct {
	addr, to string

	mu     sync.Mutex
	listen net.Listener // guarded by mu; nil: closed
	conns  []net.Conn   // guarded by mu
}

func (d *door) open(t *testing.T) {
	l, err := net.Listen("tcp", d.addr)
	require.NoError(t, err)
	d.mu.Lock()
	d.listen = l
	d.mu.Unlock()
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", d.to)
			if err != nil {
				from.Close()
				continue
			}
			d.mu.Lock()
			d.conns = append(d.conns, from, to)
			d.mu.Unlock()
			for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
				}()
			}
		}
	}()
}

// close cuts all connections, and refuses others.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listen.Close()
	for _, c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

// Two nodes of which neither is in the Peers of the other connect again when the connection between them was cut for a
// while, although all others are connected to both.
func TestCluster_NodesThatAreNotPeersConnectAgain(t *testing.T) {
	t.Parallel()
	real := peers(4)
	doors := map[string]*door{}
	told := slices.Clone(real)
	for i, p := range peers(4)[2:] { // the ways to c and d
		told[i+2].Addr = p.Addr
		doors[told[i+2].Name] = &door{addr: p.Addr, to: real[i+2].Addr}
		doors[told[i+2].Name].open(t)
		defer doors[told[i+2].Name].close()
	}
	stores := map[string]*Store{}
	var mu sync.Mutex
	open := func(i int, peers []Peer) {
		c := &Cluster{Name: "test", Node: real[i].Name, Peers: peers}
		if i >= 2 {
			c.Listen = real[i].Addr
		}
		s, err := Open(context.WithoutCancel(t.Context()), Config{Dir: t.TempDir(), Cluster: c})
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		stores[c.Node] = s
	}
	var starting sync.WaitGroup
	for i := range 3 {
		starting.Go(func() { open(i, told[:3]) })
	}
	starting.Wait()
	open(3, []Peer{told[0], told[1], told[3]})
	require.Len(t, stores, 4)
	defer func() {
		for _, s := range stores {
			_ = s.Close()
		}
	}()
	connected := func(node string, to ...string) {
		t.Helper()
		require.Eventually(t, func() bool { return slices.Equal(to, stores[node].Nodes()) },
			time.Minute, 10*time.Millisecond, "%s is to be connected to %v", node, to)
	}
	connected("c", "a", "b", "c", "d")
	connected("d", "a", "b", "c", "d")

	doors["c"].close()
	doors["d"].close()
	connected("c", "a", "b", "c")
	connected("d", "a", "b", "d")
	time.Sleep(2 * time.Second) // as long as it takes to try once, and fail
	doors["c"].open(t)
	doors["d"].open(t)
	connected("c", "a", "b", "c", "d")
	connected("d", "a", "b", "c", "d")
}
