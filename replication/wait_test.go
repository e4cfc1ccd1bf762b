package replication

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// waiting opens a node of a cluster and returns what it says of its waiting; the node is stopped at the end of the
// test.
func waiting(t *testing.T, c Cluster) <-chan string {
	t.Helper()
	whys := make(chan string, 100)
	cfg := Config{Dir: t.TempDir(), Cluster: &c, Waits: func(why string) { whys <- why }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		s, err := Open(ctx, cfg)
		if err == nil {
			err = s.Close()
		}
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return whys
}

// saying waits until a node says something that holds all of some words.
func saying(t *testing.T, whys <-chan string, words ...string) {
	t.Helper()
	for why := range whys {
		missing := 0
		for _, w := range words {
			if !strings.Contains(why, w) {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		t.Log(why)
	}
}

func TestCluster_TellsThatItWaitsForAMajority(t *testing.T) {
	t.Parallel()
	whys := waiting(t, Cluster{Name: "x", Node: "a", Peers: peers(3)})
	require.Equal(t, "waits for a majority: 1 of 3 nodes are there; not there: b, c", <-whys)
}

// Nodes that do not know each other say so, for whichever reason.
func TestCluster_TellsThatStrangersAreRefused(t *testing.T) {
	t.Parallel()
	key, other := []byte("a secret of some nodes"), []byte("a secret of other nodes")
	for name, second := range map[string]Cluster{
		"another key":  {Name: "x", Key: other},
		"no key":       {Name: "x"},
		"another name": {Name: "y", Key: key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := peers(3)
			second.Node, second.Peers = "b", all
			a := waiting(t, Cluster{Name: "x", Node: "a", Peers: all, Key: key})
			b := waiting(t, second)
			saying(t, a, "1 of 3 nodes are there; not there: b, c",
				"a node was refused, since its cluster key or the name")
			saying(t, b, "1 of 3 nodes are there; not there: a, c",
				"a node was refused, since its cluster key or the name")
		})
	}
}

func TestCluster_TellsThatItsNameIsAnotherOneWithoutKeys(t *testing.T) {
	t.Parallel()
	all := peers(3)
	a := waiting(t, Cluster{Name: "x", Node: "a", Peers: all})
	b := waiting(t, Cluster{Name: "y", Node: "b", Peers: all})
	saying(t, a, "a node was refused")
	saying(t, b, "a node was refused")
}

func TestCluster_CannotListen(t *testing.T) {
	t.Parallel()
	all := peers(3)
	l, err := net.Listen("tcp", all[0].Addr)
	require.NoError(t, err)
	defer l.Close()
	_, err = Open(t.Context(), Config{Dir: t.TempDir(), Cluster: &Cluster{Name: "x", Node: "a", Peers: all}})
	setting := new(SettingError)
	require.ErrorAs(t, err, &setting)
	require.Equal(t, "Cluster.Listen", setting.Setting)
	require.ErrorAs(t, err, new(*net.OpError))
}
