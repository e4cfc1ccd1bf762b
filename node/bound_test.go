package node_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// onDisk returns the disk space used by a folder.
func onDisk(t *testing.T, dir string) (size int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				size += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just been removed
		}
		return err
	}))
	return size
}

// Entries that come and go leave only two snapshots, the log from the first of them to the present, and the files in
// which that begins and ends.
func TestNode_LogOfAnEmptySpaceStaysSmall(t *testing.T) {
	t.Parallel()
	const every, rounds, round, file = 1 << 20, 3, 8 << 20, 8 << 20
	dir := t.TempDir()
	n := open(t, node.Config{Data: dir, SnapshotBytes: every})
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	type Job struct{ Data []byte }
	for range rounds {
		for written := 0; written < round; written += 1 << 18 {
			_, err := space.Write(t.Context(), c, Job{make([]byte, 1<<18)})
			require.NoError(t, err)
			_, err = space.Take(t.Context(), c, Job{})
			require.NoError(t, err)
		}
		const bound = 3*every + 2*file
		require.Eventually(t, func() bool { return onDisk(t, dir) <= bound }, time.Minute, 10*time.Millisecond)
	}
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
}
