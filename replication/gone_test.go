package replication

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is not in the folder is not acknowledged: soon after the folder, the lock or the files were removed or replaced, appends fail, for good.
func TestGone_NothingIsAcknowledged(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(t *testing.T, dir string){
		"folder":    func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) },
		"lock file": func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "lock"))) },
		"logs":      loseStreams,
		"moved":     func(t *testing.T, dir string) { require.NoError(t, os.Rename(dir, dir+"-moved")) },
		"replaced": func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(dir, dir+"-moved"))
			require.NoError(t, os.CopyFS(dir, os.DirFS(dir+"-moved")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			s := open(t, Config{Dir: dir})
			l := primary(t, s)
			appendAll(t, l, 1, 3)
			remove(t, dir)
			require.Eventually(t, func() bool { return l.Append(commit(4, 10)) != nil }, time.Minute, time.Millisecond)
			require.ErrorIs(t, l.Append(commit(5, 10)), ErrGone)
			require.ErrorIs(t, l.Replay(t.Context(), 0, ignore, nil), ErrGone)
			_, err := l.Snapshot(3)
			require.ErrorIs(t, err, ErrGone)
		})
	}
}

// A folder that has lost its lock file, or has another name now, is still in use.
func TestOpen_LocksTheFolderItself(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	open(t, Config{Dir: dir})
	require.NoError(t, os.Remove(filepath.Join(dir, "lock")))
	_, err := Open(t.Context(), Config{Dir: dir})
	require.EqualError(t, err, "replication: folder "+dir+" is in use by another process")
	require.NoError(t, os.Rename(dir, dir+"-moved"))
	_, err = Open(t.Context(), Config{Dir: dir + "-moved"})
	require.ErrorContains(t, err, "is in use by another process")
}
