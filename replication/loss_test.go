package replication

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// snapshotted makes a log of several files with a snapshot of its end, and closes it. It returns its incarnation and
// the position of the snapshot.
func snapshotted(t *testing.T, sync bool) (dir, incarnation string, position uint64) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, Config{Dir: dir, Sync: sync})
	l := primary(t, s)
	for n := uint64(1); n <= damageMessages; n++ {
		require.NoError(t, l.Append(commit(n, damageSize)))
	}
	snapshot(t, l)
	require.NoError(t, s.Close())
	return dir, l.Incarnation(), l.Last()
}

func snapshot(t *testing.T, l *Log) {
	t.Helper()
	s, err := l.Snapshot(l.Last(), record.Clock{})
	require.NoError(t, err)
	require.NoError(t, s.Write([]byte("the state")))
	require.NoError(t, s.Commit())
}

// cut removes the last file of the messages, and what the embedded server knows of it.
func cut(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(streamDir(dir), "msgs", "3.blk")))
	require.NoError(t, os.RemoveAll(filepath.Join(streamDir(dir), "msgs", "index.db")))
}

func loseStreams(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(filepath.Join(dir, modeStandalone)))
}

// snapshotFiles returns the contents of the files with the snapshots, by name.
func snapshotFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	names, err := filepath.Glob(filepath.Join(dir, snapshotsFolder, "test-0", "*snapshot*"))
	require.NoError(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		files[filepath.Base(name)] = string(b)
	}
	return files
}

// A log that ends before its newest snapshot, or is gone, is refused until that is accepted; then it goes on from the
// snapshot as another incarnation, tells its readers, and what it has not written itself stays.
func TestLoss_IsRefusedUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(t *testing.T, dir string)
		says string
	}{
		"last file": {
			cut,
			`test/0 ends at position \d+; it had reached position 21, and its newest good snapshot is of position 21`,
		},
		"streams": {
			loseStreams,
			`test/0 is not there; it had reached position 21, and its newest .*snapshot is of position 21`,
		},
	} {
		for _, sync := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir, incarnation, position := snapshotted(t, sync)
				c.lose(t, dir)
				before := snapshotFiles(t, dir)
				for range 2 {
					s := open(t, Config{Dir: dir, Sync: sync})
					names, err := s.Spaces(t.Context())
					require.NoError(t, err)
					require.Equal(t, map[string][]int{"test": {0}}, names)
					_, err = s.Log(t.Context(), "test", 0)
					require.ErrorIs(t, err, ErrLost)
					require.Regexp(t, c.says, err)
					require.NoError(t, s.Close())
					require.Equal(t, before, snapshotFiles(t, dir))
				}

				s := open(t, Config{Dir: dir, Sync: sync, AcceptLoss: true})
				l := idle(t, s)
				require.NotEqual(t, incarnation, l.Incarnation())
				told := goesOn(t, l, position)
				require.Equal(t, 1, told)
				appendAll(t, l, 100, 102)
				for range keptSnapshots + 1 {
					snapshot(t, l)
					appendAll(t, l, 103, 104)
				}
				first := before["00000000000000000021.snapshot"]
				require.Equal(t, first, snapshotFiles(t, dir)["00000000000000000021.snapshot."+incarnation],
					"what another log has written stays")
				require.NoError(t, s.Close())

				now := l.Incarnation()
				s = open(t, Config{Dir: dir, Sync: sync})
				require.Equal(t, now, idle(t, s).Incarnation())
				p, _, err := idle(t, s).Load(t.Context(), func([]byte) error { return nil }, nil)
				require.NoError(t, err)
				require.Equal(t, 0, goesOn(t, idle(t, s), p), "it is told once")
			})
		}
	}
}

// goesOn loads and replays a log from a snapshot at a position, and returns how many groups tell of a loss.
func goesOn(t *testing.T, l *Log, position uint64) (told int) {
	t.Helper()
	p, _, err := l.Load(t.Context(), func(records []byte) error {
		require.Equal(t, "the state", string(records))
		return nil
	}, nil)
	require.NoError(t, err)
	require.Equal(t, position, p)
	require.NoError(t, replay(t.Context(), l, p, func(g record.Group) error {
		if tellsLoss(g) {
			told++
		}
		return nil
	}, nil))
	require.Greater(t, l.Last(), position)
	return told
}

// A crash while a loss is being accepted leaves it to be accepted by the next start, without being asked again.
func TestLoss_AcceptedAndInterrupted(t *testing.T) {
	t.Parallel()
	dir, _, position := snapshotted(t, false)
	loseStreams(t, dir)
	s := open(t, Config{Dir: dir, AcceptLoss: true})
	first := idle(t, s).Incarnation()
	require.NoError(t, s.Close()) // before it was replayed

	s = open(t, Config{Dir: dir})
	l := idle(t, s)
	require.Equal(t, first, l.Incarnation())
	require.Equal(t, 1, goesOn(t, l, position))
}

// A young log that is gone is noticed without a snapshot, too.
func TestLoss_OfALogWithoutSnapshots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, Sync: true})
	appendAll(t, primary(t, s), 1, 3)
	require.NoError(t, s.Close())
	loseStreams(t, dir)

	s = open(t, Config{Dir: dir, Sync: true})
	_, err := s.Log(t.Context(), "test", 0)
	require.ErrorIs(t, err, ErrLost)
	require.ErrorContains(t, err, "test/0 is not there; it had reached position 4, and there is no snapshot of it")
	require.NoError(t, s.Close())
	s = open(t, Config{Dir: dir, Sync: true, AcceptLoss: true})
	require.Empty(t, replayed(t, idle(t, s)))
}

// A log that was removed is not lost, whenever the removal was interrupted.
func TestLoss_RemovedIsNotLost(t *testing.T) {
	t.Parallel()
	dir, incarnation, _ := snapshotted(t, false)
	s := open(t, Config{Dir: dir})
	l := idle(t, s)
	require.NoError(t, s.writeWitness(l.id, witness{Dropped: true})) // as remove begins
	require.NoError(t, s.Close())

	s = open(t, Config{Dir: dir})
	l = idle(t, s)
	require.NotEqual(t, incarnation, l.Incarnation())
	require.True(t, l.Pristine())
	require.Empty(t, replayed(t, l))
}
