package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/replication"
)

// openStores returns the stores of three nodes, which are closed with t.
func openStores(t *testing.T) []*replication.Store {
	t.Helper()
	network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
	var peers []replication.Peer
	for i, name := range []string{"a", "b", "c"} {
		peers = append(peers, replication.Peer{Name: name, Addr: fmt.Sprintf("%s.%d:6222", network, i+1)})
	}
	stores, errs := make([]*replication.Store, 3), make([]error, 3)
	var opening sync.WaitGroup
	for i, p := range peers {
		dir := t.TempDir()
		opening.Go(func() {
			stores[i], errs[i] = replication.Open(context.WithoutCancel(t.Context()), replication.Config{
				Dir: dir, Cluster: &replication.Cluster{Name: "test", Node: p.Name, Peers: peers},
			})
		})
	}
	opening.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		t.Cleanup(func() { _ = s.Close() })
	}
	return stores
}

// startControl starts the control partition of a node, which keeps its state after some commands.
func startControl(t *testing.T, s *replication.Store, every uint64) *Control {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	log, err := openControl(t.Context(), Config{Store: s, Founders: []string{"a", "b", "c"}})
	require.NoError(t, err)
	c := NewControl(s.Node(), s.Conn(), logger)
	c.open(log)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	running.Go(func() { c.keep(ctx, every) })
	t.Cleanup(func() {
		cancel()
		c.close()
		running.Wait()
	})
	return c
}

func TestControl_LogStaysShort(t *testing.T) {
	t.Parallel()
	const every = 10
	stores := openStores(t)
	a, b := startControl(t, stores[0], every), startControl(t, stores[1], every)
	require.Eventually(t, func() bool { return a.Able() == nil && a.Lead(t.Context()) == nil && a.leads() },
		time.Minute, time.Millisecond)
	var last *State
	for n := range 20 * every {
		var err error
		last, err = b.Do(t.Context(), join(fmt.Sprintf("n%d", n%7), fmt.Sprint(n)))
		require.NoError(t, err)
	}
	short := func() bool { // a follower hears of it a while later
		st := a.log.Stats()
		return st.First > last.Position-4*every && st.Last >= last.Position
	}
	for n := 0; !short(); n++ { // a state that was skipped is kept with the next command
		var err error
		last, err = b.Do(t.Context(), join("late", fmt.Sprint(n)))
		require.NoError(t, err)
	}
	require.Less(t, a.log.Stats().Messages, uint64(5*every))
	c := startControl(t, stores[2], every) // has never been there
	state, err := c.await(t.Context(), last.Position)
	require.NoError(t, err)
	require.Equal(t, last.Nodes, state.Nodes)
}
