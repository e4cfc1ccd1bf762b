package node_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
)

// damage flips a bit in the last record of the log of a space.
func damage(t *testing.T, dir, name string) {
	t.Helper()
	flip(t, dir, name, func(size int) int { return size - 20 })
}

// flip flips a bit in the log file of a space.
func flip(t *testing.T, dir, name string, at func(size int) int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "standalone", "jetstream", "*", "streams", "log-"+name+"-0", "msgs",
		"*.blk"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[at(len(b))] ^= 1
	require.NoError(t, os.WriteFile(files[0], b, 0o600))
}

// A space with a damaged log is not served, and every call is told why; other spaces are served. A server without any
// other space does not start.
func TestRefused_OthersAreServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, node.Config{Data: dir})
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	for i, name := range []string{"default", "jobs"} {
		for range 3 {
			_, err = space.Write(t.Context(), c.SpaceNamed(name), parcel{ID: i})
			require.NoError(t, err)
		}
	}
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
	damage(t, dir, "jobs")

	for range 2 {
		n = open(t, node.Config{Data: dir})
		c, err = client.Dial(t.Context(), n.Addr())
		require.NoError(t, err)
		count, err := space.Count(t.Context(), c, parcel{})
		require.NoError(t, err)
		require.Equal(t, 3, count)
		_, err = space.Write(t.Context(), c.SpaceNamed("jobs"), parcel{ID: 4})
		require.ErrorIs(t, err, space.ErrUnavailable)
		require.Regexp(t, `position \d+ cannot be read`, err.Error())
		require.ErrorContains(t, err, "--accept-loss")
		_, err = c.Backup(t.Context())
		require.ErrorIs(t, err, space.ErrUnavailable)
		var st struct {
			Spaces []struct{ Name, Error string }
		}
		require.NoError(t, json.Unmarshal(n.Status(), &st))
		require.Len(t, st.Spaces, 2)
		require.Empty(t, st.Spaces[0].Error)
		require.Equal(t, "jobs", st.Spaces[1].Name)
		require.Regexp(t, `position \d+ cannot be read`, st.Spaces[1].Error)
		require.NoError(t, c.Close())
		require.NoError(t, n.Close(t.Context()))
	}

	damage(t, dir, "default")
	_, err = node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.ErrorIs(t, err, replication.ErrDamaged)
	n = open(t, node.Config{Data: dir, AcceptLoss: true})
	require.Equal(t, []string{"default", "jobs"}, n.Names())
	require.NoError(t, n.Close(t.Context()))
}

// However often a log loses data, including the records of earlier losses, no identity is issued twice.
func TestRefused_IdentitiesRise(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	highest := uint64(0)
	for round := range 5 {
		n := open(t, node.Config{Data: dir, AcceptLoss: round > 0})
		c, err := client.Dial(t.Context(), n.Addr())
		require.NoError(t, err)
		for range 3 {
			l, err := space.Write(t.Context(), c, parcel{ID: round})
			require.NoError(t, err)
			require.Greater(t, uint64(l.ID()), highest, "round %d", round)
			highest = uint64(l.ID())
		}
		require.NoError(t, c.Close())
		require.NoError(t, n.Close(t.Context()))
		// Early, so that the earlier losses are forgotten.
		flip(t, dir, "default", func(size int) int { return min(size-20, 300) })
	}
}

// After a loss identities are ahead of the clock. A space that is made under the name of such a one, which was dropped,
// has none of its identities, also if the server was restarted in between, or the space was not served any more.
func TestRefused_IdentitiesOutlastADrop(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"served": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			last := uint64(0)
			fill := func(n *node.Node) {
				c := dial(t, n, "jobs")
				for range 3 {
					l, err := space.Write(t.Context(), c, parcel{ID: 1})
					require.NoError(t, err)
					require.Greater(t, uint64(l.ID()), last)
					last = uint64(l.ID())
				}
				require.NoError(t, c.Close())
			}
			n := open(t, node.Config{Data: dir})
			fill(n)
			require.NoError(t, n.Close(t.Context()))
			damage(t, dir, "jobs")
			n = open(t, node.Config{Data: dir, AcceptLoss: true})
			fill(n)
			if refused {
				require.NoError(t, n.Close(t.Context()))
				damage(t, dir, "jobs")
				n = open(t, node.Config{Data: dir})
			}
			require.NoError(t, dial(t, n, "default").DropSpace(t.Context(), "jobs", false))
			require.NoError(t, n.Close(t.Context()))
			n = open(t, node.Config{Data: dir})
			fill(n)
			require.NoError(t, n.Close(t.Context()))
		})
	}
}

// A refused space can be dropped: its files go, other spaces are unchanged, and its name is free. The default space is
// recreated at once.
func TestRefused_CanBeDropped(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"default", "jobs"} {
		for _, kept := range []string{"default", "jobs", "orders"} {
			if kept == lost {
				continue
			}
			t.Run(lost+" without "+kept, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				n := open(t, node.Config{Data: dir})
				c := dial(t, n, "default")
				for _, name := range []string{"default", "jobs", "orders"} {
					_, err := space.Write(t.Context(), c.SpaceNamed(name), parcel{ID: 1})
					require.NoError(t, err)
				}
				require.NoError(t, c.Close())
				require.NoError(t, n.Close(t.Context()))
				damage(t, dir, lost)

				n = open(t, node.Config{Data: dir})
				c = dial(t, n, "orders")
				require.ErrorContains(t, c.DropSpace(t.Context(), "other", false), "no space")
				require.NoError(t, c.DropSpace(t.Context(), lost, false))
				if lost != "default" {
					awaitRemoved(t, dir, lost)
					require.NotContains(t, n.Names(), lost)
				}
				for range 2 {
					count, err := space.Count(t.Context(), c.SpaceNamed(lost), parcel{})
					require.NoError(t, err)
					require.Zero(t, count)
					count, err = space.Count(t.Context(), c.SpaceNamed(kept), parcel{})
					require.NoError(t, err)
					require.Equal(t, 1, count)
					b, err := c.Backup(t.Context())
					require.NoError(t, err)
					require.NoError(t, b.Close(t.Context()))
					require.NoError(t, c.Close())
					require.NoError(t, n.Close(t.Context()))
					n = open(t, node.Config{Data: dir})
					c = dial(t, n, "orders")
				}
				_, err := space.Write(t.Context(), c.SpaceNamed(lost), parcel{ID: 2})
				require.NoError(t, err)
				require.NoError(t, c.Close())
				require.NoError(t, n.Close(t.Context()))
			})
		}
	}
}
