package replication

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// smallDisk mounts a separate file system.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs the right to mount a file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// occupy fills the disk except for rest bytes. Removing the returned file makes room.
func occupy(t *testing.T, dir string, rest int64) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	free, err := freeBytes(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, make([]byte, free-rest), 0o600))
	return path
}

func TestFull_DiskIsGuarded(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64m")
	s := open(t, Config{Dir: dir, MinFree: 32 << 20})
	l := primary(t, s)
	last, err := appendUntil(t, l, 1, 1<<20)
	require.ErrorIs(t, err, ErrFull)
	free, err := freeBytes(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, free, int64(31<<20))
	require.Equal(t, upTo(last), tailed(t, l, 0, int(last)))
}

// A disk that fills up between two measurements freezes the stream.
func TestFull_WriteErrorIsRecoveredFrom(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64m")
	s := open(t, Config{Dir: dir, MinFree: 1, Logger: testLogger(t)})
	s.disk.every = time.Hour
	l := primary(t, s)
	other, err := s.Log(t.Context(), "other", 0)
	require.NoError(t, err)
	require.NoError(t, replay(t.Context(), other, 0, ignore, nil))
	appendAll(t, l, 1, 10)
	appendAll(t, other, 1, 1)
	ballast := occupy(t, dir, 3<<20)

	last, err := appendUntil(t, l, 11, 1<<20)
	require.ErrorIs(t, err, ErrFailed)
	require.Greater(t, last, uint64(10))
	t.Log(last, err)
	require.ErrorIs(t, l.Append(commit(1, 1)), ErrFailed)

	require.NoError(t, os.Remove(ballast))
	got := replayed(t, l)
	require.Equal(t, upTo(uint64(len(got))), got)
	require.GreaterOrEqual(t, uint64(len(got)), last)
	require.LessOrEqual(t, uint64(len(got)), last+1)
	next := uint64(len(got)) + 1
	appendAll(t, l, next, next+10)
	require.Equal(t, upTo(next+10), replayed(t, l))
	appendAll(t, other, 2, 2) // it lost its server too, and continues without a replay
	require.Equal(t, upTo(2), replayed(t, other))
}

// The embedded server must not be asked to truncate a log on a disk on which it cannot write its notes of that: it
// would never answer again.
func TestFull_DiskWithoutRoomIsNoPlaceToPurge(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64m")
	s := open(t, Config{Dir: dir, MinFree: 2 << 20})
	l := primary(t, s)
	appendAll(t, l, 1, 1000)
	ballast := occupy(t, dir, 0)
	require.ErrorIs(t, l.purge(t.Context(), 900), ErrFull)
	require.EqualValues(t, 1, l.Stats().First)
	require.Equal(t, upTo(1000), tailed(t, l, 0, 1000))

	require.NoError(t, os.Remove(ballast))
	require.NoError(t, l.purge(t.Context(), 900))
	require.EqualValues(t, 900, l.Stats().First)
	appendAll(t, l, 1001, 1002)
}

// The log goes on without a node whose disk is full, and the node knows that it must not be the primary.
func TestFull_DiskOfOneNode(t *testing.T) {
	t.Parallel()
	k := newTrio(t, func(c *Config) { c.MinFree = 1 })
	k.stop(1)
	k.dirs[1] = smallDisk(t, "64m")
	t.Cleanup(func() { k.stop(1) }) // before its disk is taken away
	k.start(1)
	logs := k.logs()
	a, b := logs[0], logs[1]
	require.NoError(t, replay(t.Context(), a, 0, ignore, nil))
	appendAll(t, a, 1, 2)
	require.Eventually(t, b.Current, time.Minute, time.Millisecond)
	require.NoError(t, b.Fit())
	occupy(t, k.dirs[1], 1<<20)
	stop := keepLed(t, a)
	n := uint64(2)
	for b.Fit() == nil { // it sees that the disk is full, or that it could not be written, or that it is behind
		n++
		require.NoError(t, a.Append(commit(n, 200<<10)))
		require.NoError(t, pause(t.Context(), 2*time.Millisecond))
	}
	require.NoError(t, a.Fit())
	appendAll(t, a, n+1, n+20)
	stop()
	require.Equal(t, upTo(n+20), tailed(t, logs[2], 0, int(n+20)))
}

// keepLed has a node lead a log's stream until the returned function is called: a leader that cannot write takes
// nothing, and does not give up by itself.
func keepLed(t testing.TB, l *Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pause(ctx, 100*time.Millisecond) == nil {
			if !l.Raft().Leads {
				_ = l.LeadHere() // the next time it may work
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
