package replication

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCluster_IsRefused(t *testing.T) {
	t.Parallel()
	three := []Peer{{"a", "127.0.0.1:6221"}, {"b", "localhost:6222"}, {"c", "[::1]:6223"}}
	far := []Peer{{"a", "127.0.0.1:6221"}, {"b", "127.0.0.1:6222"}, {"c", "192.0.2.1:6223"}}
	for want, c := range map[string]Cluster{
		"":                                     {Name: "x", Node: "a", Peers: three},
		"must have 1 to 64 lower-case letters": {Name: "x", Node: "A", Peers: append([]Peer{{"A", "h:1"}}, three...)},
		"a cluster of one node never elects":   {Name: "x", Node: "a", Peers: three[:1]},
		"a cluster of two nodes stops when":    {Name: "x", Node: "a", Peers: three[:2]},
		`node "d" is not one of`:               {Name: "x", Node: "d", Peers: three},
		`two peers have the name a, or the address`: {
			Name: "x", Node: "a",
			Peers: append([]Peer{{"a", "127.0.0.1:9"}}, three...),
		},
		`must be HOST:PORT`: {
			Name: "x", Node: "a",
			Peers: append([]Peer{{"d", "127.0.0.1"}}, three...),
		},
		`the address of Cluster.Listen is ":1"`: {Name: "x", Node: "a", Peers: three, Listen: ":1"},
		"set Cluster.Key or Cluster.TLS":        {Name: "x", Node: "a", Peers: far},
		"nodes on several machines must know":   {Name: "x", Node: "a", Peers: three, Listen: "0.0.0.0:6222"},
		"must have 16 or more":                  {Name: "x", Node: "a", Peers: three, Key: []byte("short")},
		"Cluster.TLS has no certificate":        {Name: "x", Node: "a", Peers: three, TLS: &tls.Config{}},
		"exclude each other": {
			Name: "x", Node: "a", Peers: three, TLS: &tls.Config{},
			Key: make([]byte, 16),
		},
	} {
		_, err := Config{Dir: "d", Cluster: &c}.withDefaults()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
	_, err := Config{Dir: "d", Cluster: &Cluster{Name: "x", Node: "a", Peers: far, Key: make([]byte, 16)}}.withDefaults()
	require.NoError(t, err)
}

func TestCluster_FolderBelongsToOneNode(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	k.stop(0, 1, 2)
	for want, change := range map[string]func(*Config){
		"belongs to node a of cluster test and cannot be opened for one process alone": func(c *Config) {
			c.Cluster = nil
		},
		"belongs to node a of cluster test and cannot be opened for node b of cluster test": func(c *Config) {
			c.Cluster.Node = "b"
		},
		"belongs to node a of cluster test and cannot be opened for node a of cluster other": func(c *Config) {
			c.Cluster.Name = "other"
		},
	} {
		cfg := k.config(0)
		change(&cfg)
		_, err := Open(t.Context(), cfg)
		require.ErrorContains(t, err, want)
	}
	dir := t.TempDir()
	require.NoError(t, open(t, Config{Dir: dir}).Close())
	cfg := k.config(0)
	cfg.Dir = dir
	_, err := Open(t.Context(), cfg)
	require.ErrorContains(t, err, "belongs to one process alone and cannot be opened for node a of cluster test")
}

// Nodes that share a key are a cluster. Who has another key, or is of another cluster with the same key, is no part.
func TestCluster_KeyIsShared(t *testing.T) {
	t.Parallel()
	k := newTrio(t, func(c *Config) { c.Cluster.Key = []byte("a secret of these nodes") })
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	appendAll(t, logs[0], 1, 3)
	require.Equal(t, upTo(3), tailed(t, logs[2], 0, 3))

	k.stop(2)
	for _, change := range []func(*Cluster){
		func(c *Cluster) { c.Key = []byte("another secret, guessed") },
		func(c *Cluster) { c.Key = nil },
		func(c *Cluster) { c.Name = "other" },
	} {
		cfg := k.config(2)
		cfg.Dir = t.TempDir()
		change(cfg.Cluster)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := Open(ctx, cfg)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []string{"a", "b"}, k.stores[0].Nodes())
	}
	appendAll(t, logs[0], 4, 4)
	k.start(2)
	require.Equal(t, upTo(4), tailed(t, k.log(2), 0, 4))
}
