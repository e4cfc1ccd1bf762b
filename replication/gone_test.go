package replication

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// Nothing is acknowledged that is not in the folder: soon after the folder, the lock or the files were removed or
// replaced, appends fail permanently.
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
			require.Eventually(t, func() bool { return l.home.present() != nil }, time.Minute, time.Millisecond)
			require.ErrorIs(t, l.Append(commit(4, 10)), ErrGone)
			require.ErrorIs(t, replay(t.Context(), l, 0, ignore, nil), ErrGone)
			_, err := l.Snapshot(3, record.Clock{})
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

// The same holds for the files of one log; other logs continue.
func TestGone_FilesOfALog(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(t *testing.T, stream string){
		"stream":   func(t *testing.T, stream string) { require.NoError(t, os.RemoveAll(stream)) },
		"messages": func(t *testing.T, stream string) { require.NoError(t, os.RemoveAll(filepath.Join(stream, "msgs"))) },
		"file": func(t *testing.T, stream string) {
			files, err := filepath.Glob(filepath.Join(stream, "msgs", "*.blk"))
			require.NoError(t, err)
			for _, file := range files {
				require.NoError(t, os.Remove(file))
			}
		},
		"replaced": func(t *testing.T, stream string) {
			copied := filepath.Join(t.TempDir(), "copy")
			require.NoError(t, os.CopyFS(copied, os.DirFS(filepath.Join(stream, "msgs"))))
			require.NoError(t, os.RemoveAll(filepath.Join(stream, "msgs")))
			require.NoError(t, os.Rename(copied, filepath.Join(stream, "msgs")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{MaxBytes: smallLog})
			l := primary(t, s)
			for n := range uint64(12) { // in two files
				require.NoError(t, l.Append(commit(n, 4_000)))
			}
			other, err := s.Log(t.Context(), "other", 0)
			require.NoError(t, err)
			require.NoError(t, replay(t.Context(), other, 0, ignore, nil))
			remove(t, streamDir(s.folder.path))
			require.Eventually(t, func() bool { return l.home.present() != nil }, time.Minute, time.Millisecond)
			require.ErrorIs(t, l.Append(commit(4, 10)), ErrGone)
			require.ErrorIs(t, replay(t.Context(), l, 0, ignore, nil), ErrGone)
			appendAll(t, other, 1, 2)
		})
	}
}

// Files replaced by the server itself are no problem.
func TestGone_FilesThatTheServerReplaces(t *testing.T) {
	t.Parallel()
	s := open(t, Config{MaxBytes: smallLog})
	l := primary(t, s)
	for n := range uint64(60) {
		require.NoError(t, l.Append(commit(n, 4_000)))
		switch {
		case n%10 == 9:
			require.NoError(t, l.purge(t.Context(), l.Last()))
		case n%25 == 24:
			require.NoError(t, l.purge(t.Context(), l.Last()+1))
		}
		filesOf(l).lookAtFiles()
		require.NoError(t, l.home.present())
	}
	require.NoError(t, s.Close())
	s = open(t, Config{Dir: s.folder.path, MaxBytes: smallLog})
	l = idle(t, s)
	require.NoError(t, replay(t.Context(), l, l.Last(), ignore, nil), "nothing is missing")
}

// A start that is given up ends at once, and releases the folder.
func TestOpen_IsGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, primary(t, s), 1, 3)
	require.NoError(t, s.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Open(ctx, Config{Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool {
		s, err = Open(t.Context(), Config{Dir: dir})
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, upTo(3), replayed(t, idle(t, s)))
	require.NoError(t, s.Close())
}
