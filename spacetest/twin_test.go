package spacetest_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// A node that was replaced ends when it comes back, whether it stood still or is started again; and two living nodes
// cannot have one name.
func TestCluster_ReplacedNodeComesBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Process: true})
	sp := c.Dial(t, "default")
	write := func(id string) {
		t.Helper()
		_, err := space.Write(t.Context(), sp, Purse{id, 1})
		require.NoError(t, err)
	}
	write("before")
	old := c.Node("a")
	old.Signal(syscall.SIGSTOP)
	replacement := old.Twin()
	replacement.Start()
	write("replaced")
	old.Signal(syscall.SIGCONT)
	require.Equal(t, 1, old.End())
	const replaced = `node "a" was replaced by another folder: start it with an empty folder, or under another name`
	require.Contains(t, old.Log(), "gospaces: "+replaced)
	write("ended")

	require.ErrorContains(t, old.TryStart(), replaced)
	require.ErrorContains(t, replacement.Twin().TryStart(),
		`another node with the name "a" is alive at `+replacement.Addr+`: stop it, or give this one another name`)
	write("refused")
	replacement.Kill()
	require.ErrorContains(t, old.TryStart(), replaced)
	replacement.Start()
	for _, n := range c.Nodes[1:] {
		n.Kill()
		n.Start()
	}
	for _, id := range []string{"before", "replaced", "ended", "refused"} {
		_, err := space.Take(t.Context(), sp, Purse{Owner: id})
		require.NoError(t, err, id)
	}
	n, err := space.Count(t.Context(), sp, Purse{})
	require.NoError(t, err)
	require.Zero(t, n)
}
