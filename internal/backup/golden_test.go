package backup_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/node"
	"github.com/gospaces/gospaces/space"
)

type Note struct{ Text string }

// TestMakeGolden makes the data folder of testdata anew if it is missing and GOLDEN=write is set. Its snapshots hold what
// golden says, and its log goes on from there.
func TestMakeGolden(t *testing.T) {
	path, err := filepath.Abs("testdata/data-v1.tar.gz")
	require.NoError(t, err)
	if _, err := os.Stat(path); err == nil || os.Getenv("GOLDEN") != "write" {
		t.Skip("the folder is there, or is not asked for")
	}
	dir := t.TempDir()
	n, err := node.Open(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.NoError(t, err)
	for _, name := range []string{"default", "other"} {
		c, err := client.DialConfig(t.Context(), client.Config{Addr: n.Addr(), Space: name})
		require.NoError(t, err)
		jobs := []Job{{1}, {2}, {3}, {4}, {5}}
		if name == "other" {
			jobs = jobs[:1]
		} else {
			_, err = space.Write(t.Context(), c, Note{"kept"})
			require.NoError(t, err)
		}
		_, err = space.WriteAll(t.Context(), c, jobs)
		require.NoError(t, err)
		_, err = c.Snapshot(t.Context())
		require.NoError(t, err)
		if name == "default" {
			for range 2 {
				_, err = space.Take(t.Context(), c, Job{})
				require.NoError(t, err)
			}
			_, err = space.Write(t.Context(), c, Job{6})
			require.NoError(t, err)
		}
		require.NoError(t, c.Close())
	}
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, exec.CommandContext(t.Context(), "tar", "-C", dir, "-czf", path, ".").Run())
}
