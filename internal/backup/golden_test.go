package backup_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

type Note struct{ Text string }

// Files of the current formats: an unintended change of a format fails their tests.
const (
	goldenBackup = "testdata/golden.backup"
	// a data folder: its snapshots contain golden, and its log continues from there
	goldenFolder = "testdata/golden.tar.gz"
)

// TestMakeGolden rewrites the golden files if GOLDEN=write is set.
func TestMakeGolden(t *testing.T) {
	if os.Getenv("GOLDEN") != "write" {
		t.Skip("set GOLDEN=write to make the files of testdata anew")
	}
	path, err := filepath.Abs(goldenFolder)
	require.NoError(t, err)
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
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
	writeBackup(t, n.Addr())
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, exec.CommandContext(t.Context(), "tar", "-C", dir, "-czf", path, ".").Run())
}

// writeBackup makes the golden backup of all spaces of a server.
func writeBackup(t *testing.T, addr string) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr)
	require.NoError(t, err)
	defer c.Close()
	taken, err := c.Backup(t.Context())
	require.NoError(t, err)
	file, err := os.Create(goldenBackup)
	require.NoError(t, err)
	w, err := backup.NewWriter(file, []backup.Part{{"default", 0, 1}, {"other", 0, 1}})
	require.NoError(t, err)
	for _, p := range taken.Parts() {
		require.NoError(t, taken.Fetch(t.Context(), p, w.Add))
	}
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
}
