package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// A space whose disk is nearly full refuses changes, can be read, and continues by itself when there is room.
func TestNode_FullDiskRefusesChangesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("needs the right to mount a file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	require.NoError(t, open(t, node.Config{Data: filepath.Join(dir, "data")}).Close(t.Context()))
	ballast := filepath.Join(dir, "ballast")
	var st syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &st))
	const left = 84 << 20 // the log leaves 64 MiB of this
	require.NoError(t, os.WriteFile(ballast, make([]byte, int64(st.Bavail)*st.Bsize-left), 0o600))

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
	written := 0
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
	require.Contains(t, string(n.Status()), `"throttle":"space: unavailable: log full: the disk`)

	// With so little room that the log accepts nothing, the existing entries can still be read.
	require.NoError(t, syscall.Statfs(dir, &st))
	more := filepath.Join(dir, "more")
	require.NoError(t, os.WriteFile(more, make([]byte, int64(st.Bavail)*st.Bsize-(32<<20)), 0o600))
	require.ErrorIs(t, write(), space.ErrLogFull)
	got, err = space.Count(t.Context(), c, Job{})
	require.NoError(t, err)
	require.Equal(t, written, got)

	// A server started on such a disk serves the existing entries, and all calls once there is room.
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
	n = open(t, node.Config{Data: filepath.Join(dir, "data")})
	c, err = client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	got, err = space.Count(t.Context(), c, Job{})
	require.NoError(t, err)
	require.Equal(t, written, got)
	j, err := space.Read(t.Context(), c, Job{ID: 1})
	require.NoError(t, err)
	require.Len(t, j.Data, 100_000)
	all, err := space.ReadAll(t.Context(), c, Job{}, 10)
	require.NoError(t, err)
	require.Len(t, all, min(10, written))
	_, err = space.Read(t.Context(), c, Job{ID: 2})
	require.ErrorIs(t, err, space.ErrLogFull, "nothing will come")
	require.ErrorIs(t, write(), space.ErrLogFull)
	_, err = space.Take(t.Context(), c, Job{})
	require.ErrorIs(t, err, space.ErrLogFull)
	_, err = space.Begin(t.Context(), c)
	require.ErrorIs(t, err, space.ErrLogFull)

	require.NoError(t, errors.Join(os.Remove(ballast), os.Remove(more)))
	require.Eventually(t, func() bool { return write() == nil }, time.Minute, time.Millisecond)
	_, err = space.Take(t.Context(), c, Job{})
	require.NoError(t, err)
	got, err = space.Count(t.Context(), c, Job{})
	require.NoError(t, err)
	require.Equal(t, written, got)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
}
