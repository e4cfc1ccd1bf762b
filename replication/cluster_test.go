package replication

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// peers returns three nodes, each with an address of this machine that no other test has.
func peers() (all []Peer) {
	net := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
	first := rand.IntN(63)
	for i, name := range []string{"a", "b", "c"} {
		all = append(all, Peer{name, fmt.Sprint(net, 4*first+i+1, ":6222")})
	}
	return all
}

// trio is a cluster of three nodes in this process.
type trio struct {
	t      testing.TB
	cfg    Config
	dirs   []string
	stores []*Store
}

func newTrio(t testing.TB, change func(*Config)) *trio {
	t.Helper()
	k := &trio{t: t, cfg: Config{Cluster: &Cluster{Name: "test", Peers: peers()}}, stores: make([]*Store, 3)}
	if change != nil {
		change(&k.cfg)
	}
	for range k.stores {
		k.dirs = append(k.dirs, t.TempDir())
	}
	k.start(0, 1, 2)
	t.Cleanup(func() { k.stop(0, 1, 2) })
	return k
}

// config returns the configuration of a node.
func (k *trio) config(i int) Config {
	cfg, cluster := k.cfg, *k.cfg.Cluster
	cluster.Node = cluster.Peers[i].Name
	cfg.Dir, cfg.Cluster = k.dirs[i], &cluster
	return cfg
}

// start starts nodes, and returns when all serve.
func (k *trio) start(nodes ...int) {
	k.t.Helper()
	var all sync.WaitGroup
	errs := make([]error, len(k.stores))
	for _, i := range nodes {
		all.Go(func() { k.stores[i], errs[i] = Open(context.WithoutCancel(k.t.Context()), k.config(i)) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(k.t, err)
	}
}

func (k *trio) stop(nodes ...int) {
	var all sync.WaitGroup
	for _, i := range nodes {
		if s := k.stores[i]; s != nil {
			all.Go(func() { _ = s.Close() })
			k.stores[i] = nil
		}
	}
	all.Wait()
}

func TestCluster_ThreeNodesMakeALog(t *testing.T) {
	t.Parallel()
	k := newTrio(t, func(c *Config) { c.Logger = testLogger(t) })
	s := k.stores[0]
	all := []string{"a", "b", "c"}
	require.NoError(t, s.Create(t.Context(), "test", 0, "first", all))
	require.NoError(t, k.stores[1].Create(t.Context(), "test", 0, "first", all))
	require.ErrorIs(t, k.stores[2].Create(t.Context(), "test", 0, "second", all), ErrIncarnation)
	replicas, err := s.Replicas(t.Context(), "test", 0)
	require.NoError(t, err)
	require.Len(t, replicas, 3)
	t.Log(replicas, s.Nodes(), s.Meta())
}
