package client_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// stuck is a manager that does not answer its first request before the test ends.
type stuck struct {
	asked chan struct{} // capacity 1: gets the first request
	end   <-chan struct{}
}

func (m *stuck) Manage(context.Context, []byte) ([]byte, error) {
	select {
	case m.asked <- struct{}{}:
		<-m.end
	default:
	}
	return []byte("done"), nil
}

// atSecond is the topology of a cluster of two nodes, of which the second serves the default space.
type atSecond struct{ *cluster } // set before it is asked

func (*atSecond) Version() uint64 { return 1 }

func (c *atSecond) Topology() *call.Topology {
	return &call.Topology{
		Version: 1, Nodes: []call.Member{{Name: "n0", Addr: c.nodes[0].addr}, {Name: "n1", Addr: c.nodes[1].addr}},
		Places: []call.Placed{{At: defaultAt, Node: "n1", Epoch: call.Epoch{Claim: 9}}},
	}
}

// A call to a certain node goes on there when the node is back, and ends if it is not, although the partitions of the
// client move to another node meanwhile.
func TestNodeClient_ItsNodeGoes(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"for good": false, "and comes back": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := make(chan struct{})
			free := sync.OnceFunc(func() { close(end) })
			m, places := &stuck{make(chan struct{}, 1), end}, new(atSecond)
			c := startClusterOf(t, 2, server.Config{Manager: m, Topology: places})
			places.cluster = c
			defer free()
			var gone atomic.Bool
			n, err := client.DialNode(t.Context(), client.Config{
				Addr: c.nodes[0].addr + "," + c.nodes[1].addr, Grace: 200 * time.Millisecond,
				MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
				Dial: func(ctx context.Context, addr string) (net.Conn, error) {
					if gone.Load() && addr == c.nodes[0].addr {
						return nil, errFault
					}
					return new(net.Dialer).DialContext(ctx, "tcp", addr)
				},
			})
			require.NoError(t, err)
			defer n.Close()
			ended := make(chan error, 1)
			go func() { _, err := n.Manage(t.Context(), []byte("{}")); ended <- err }()
			require.Eventually(t, func() bool { return len(m.asked) == 1 }, time.Minute, time.Millisecond)
			gone.Store(true)
			c.moveTo(c.nodes[1])
			c.nodes[0].listener.drop()
			if back {
				free()
				c.nodes[0].kill()
				c.nodes[0].start()
				gone.Store(false)
				require.NoError(t, <-ended)
				return
			}
			require.ErrorIs(t, <-ended, space.ErrUnavailable)
		})
	}
}

// endless is the backups of a server that does not come to the end of any.
type endless struct{ begun chan struct{} }

func (e endless) Backup(ctx context.Context) (uint64, []call.BackupPart, error) {
	e.begun <- struct{}{}
	<-ctx.Done()
	return 0, nil, ctx.Err()
}

func (endless) ReadBackup(uint64, txn.Address, int64, []byte) (n int, size int64, err error) {
	return 0, 0, call.ErrUnavailable
}

func (endless) EndBackup(uint64) {}

// A backup of a node ends when the node does: it is not waited for.
func TestNodeClient_ItsNodeGoesDuringABackup(t *testing.T) {
	t.Parallel()
	b := endless{make(chan struct{})}
	s := startNode(t, server.Config{Backups: b})
	n, err := client.DialNode(t.Context(), client.Config{
		Addr: s.addr, Grace: 100 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	defer n.Close()
	ended := make(chan error, 1)
	go func() { _, err := n.Backup(t.Context()); ended <- err }()
	<-b.begun
	s.kill()
	require.ErrorIs(t, <-ended, space.ErrUnavailable)
}
