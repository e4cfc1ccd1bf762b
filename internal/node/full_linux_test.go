package node_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/node"
	"github.com/gospaces/gospaces/space"
)

// A space whose disk is nearly full takes no changes, can be read, and goes on by itself when there is room.
func TestNode_FullDiskRefusesChangesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("needs the right to mount a file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	n := open(t, node.Config{Data: filepath.Join(dir, "data")})
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	type Job struct {
		ID   int
		Data []byte
	}
	write := func() error {
		_, err := space.Write(t.Context(), c, Job{1, make([]byte, 100_000)})
		return err
	}
	require.NoError(t, write())
	ballast := filepath.Join(dir, "ballast")
	var st syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &st))
	const left = 84 << 20 // of which the log leaves 64 MiB
	require.NoError(t, os.WriteFile(ballast, make([]byte, int64(st.Bavail)*st.Bsize-left), 0o600))
	written := 1
	for err = write(); err == nil; err = write() {
		written++
	}
	require.ErrorIs(t, err, space.ErrLogFull)
	require.ErrorContains(t, err, "make room")
	got, err := space.Count(t.Context(), c, Job{})
	require.NoError(t, err)
	require.Equal(t, written, got)
	_, err = space.Read(t.Context(), c, Job{})
	require.NoError(t, err)
	_, err = space.Take(t.Context(), c, Job{})
	require.ErrorIs(t, err, space.ErrLogFull)
	require.Contains(t, string(n.Status()), `"held":"space: unavailable: log full: the disk`)

	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return write() == nil }, time.Minute, time.Millisecond)
	_, err = space.Take(t.Context(), c, Job{})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
}
