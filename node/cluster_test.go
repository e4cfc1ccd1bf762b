package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A client on another machine could do nothing with the address of a node that listens on all of its addresses.
func TestCluster_AnnouncesNoWildcard(t *testing.T) {
	t.Parallel()
	c := &Cluster{Node: "b", Peers: []Peer{{Name: "a", Addr: "10.0.0.1:6222"}, {Name: "b", Addr: "db.example:6223"}}}
	for addr, want := range map[string]string{
		"0.0.0.0:7420":   "db.example:7420",
		"[::]:7420":      "db.example:7420",
		":7420":          "db.example:7420",
		"10.0.0.2:7420":  "10.0.0.2:7420",
		"127.0.0.1:7420": "127.0.0.1:7420",
		"db.other:7420":  "db.other:7420",
	} {
		require.Equal(t, want, c.reachable(addr), addr)
	}
}
