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
		"":                      {Name: "x", Node: "a", Peers: three},
		`Cluster.Name is "X Y"`: {Name: "X Y", Node: "a", Peers: three},
		`Cluster.Node is "A"; a name has 1 to 64 lower-case`: {
			Name: "x", Node: "A", Peers: append([]Peer{{"A", "h:1"}}, three...),
		},
		`Cluster.Peers names a node "A"`: {
			Name: "x", Node: "A", Peers: append([]Peer{{"A", "h:1"}}, three...),
		},
		"Cluster.Peers names 1 of the nodes":         {Name: "x", Node: "a", Peers: three[:1]},
		"a cluster of two stops when either of them": {Name: "x", Node: "a", Peers: three[:2]},
		"lacks this node: add d=HOST:PORT":           {Name: "x", Node: "d", Peers: three},
		`Cluster.Peers names node "a" twice`: {
			Name: "x", Node: "a", Peers: append([]Peer{{"a", "127.0.0.1:9"}}, three...),
		},
		`Cluster.Peers has localhost:6222 for node "d" and for node "b"`: {
			Name: "x", Node: "a", Peers: append([]Peer{{"d", "localhost:6222"}}, three...),
		},
		`Cluster.Peers has the address "127.0.0.1"; write HOST:PORT`: {
			Name: "x", Node: "a", Peers: append([]Peer{{"d", "127.0.0.1"}}, three...),
		},
		`the address "h:x"`: {
			Name: "x", Node: "a", Peers: append([]Peer{{"d", "h:x"}}, three...),
		},
		`Cluster.Listen is ":0"`:                   {Name: "x", Node: "a", Peers: three, Listen: ":0"},
		"Cluster.Key or Cluster.TLS is missing":    {Name: "x", Node: "a", Peers: far},
		"several machines must know each other":    {Name: "x", Node: "a", Peers: three, Listen: ":6222"},
		"nodes on several machines must know":      {Name: "x", Node: "a", Peers: three, Listen: "0.0.0.0:6222"},
		"Cluster.Key has 5 bytes; it must have 16": {Name: "x", Node: "a", Peers: three, Key: []byte("short")},
		"Cluster.TLS has no certificate":           {Name: "x", Node: "a", Peers: three, TLS: &tls.Config{}},
		"Cluster.Key and Cluster.TLS exclude each other": {
			Name: "x", Node: "a", Peers: three, TLS: &tls.Config{}, Key: make([]byte, 16),
		},
	} {
		_, err := Config{Dir: "d", Cluster: &c}.withDefaults()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, new(*SettingError))
	}
	_, err := Config{Dir: "d", Cluster: &Cluster{Name: "x", Node: "a", Peers: far, Key: make([]byte, 16)}}.withDefaults()
	require.NoError(t, err)
}

func TestCluster_FolderBelongsToOneNode(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	k.stop(0, 1, 2)
	for want, change := range map[string]func(*Config){
		"belongs to node a of cluster test and cannot be opened for a single server": func(c *Config) {
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
	require.ErrorContains(t, err, "belongs to a single server and cannot be opened for node a of cluster test")
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
