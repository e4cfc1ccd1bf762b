package replication

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpen_LocksTheFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "if", "missing")
	s := open(t, Config{Dir: dir})
	_, err := Open(t.Context(), Config{Dir: dir})
	require.EqualError(t, err, "replication: folder "+dir+" is in use by another process")
	require.NoError(t, s.Close())
	open(t, Config{Dir: dir})
}

// A process that is being started has a copy of every open file for a moment; the folder is free all the same.
func TestClose_UnlocksTheFolderForCopiesToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	inherited, err := syscall.Dup(int(s.folder.held[1].file.Fd()))
	require.NoError(t, err)
	defer syscall.Close(inherited)
	require.NoError(t, s.Close())
	open(t, Config{Dir: dir})
}

func TestOpen_RefusesAFolderThatWasNotFinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, open(t, Config{Dir: dir, Unfinished: true}).Close())
	for range 2 {
		_, err := Open(t.Context(), Config{Dir: dir})
		require.EqualError(t, err, "replication: folder "+dir+": was not made to its end: empty it, and make it again")
	}
	dir = t.TempDir()
	s := open(t, Config{Dir: dir, Unfinished: true})
	require.NoError(t, s.Finish())
	require.NoError(t, s.Close())
	open(t, Config{Dir: dir})
}

func TestOpen_KeepsTheIdentityOfTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	id := s.ID()
	require.NotEmpty(t, id)
	require.NoError(t, s.Close())
	require.Equal(t, id, open(t, Config{Dir: dir}).ID())
	require.NotEqual(t, id, open(t, Config{}).ID())
}

func TestOpen_RefusesForeignFolders(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{"version":1,"mode":"cluster","cluster":"c","node":"a","id":"x"}`: "belongs to node a of cluster c and " +
			"cannot be opened for a single server",
		`{"version":2,"mode":"standalone","id":"x"}`: "has version 2; this program reads version 1: use a newer one",
		`{"version":1,"mode":"standalone"}`:          "store.json is not the marker of a log folder",
		``:                                           "store.json is not the marker of a log folder",
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "store.json"), []byte(content), 0o600))
		_, err := Open(t.Context(), Config{Dir: dir})
		require.EqualError(t, err, "replication: folder "+dir+": "+want)
	}
}

func TestOpen_RefusesAnInvalidConfig(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Config{MaxBytes: -1, MinFree: -1})
	require.ErrorContains(t, err, "Dir is empty")
	require.ErrorContains(t, err, "MaxBytes is negative")
	require.ErrorContains(t, err, "MinFree is negative")
}

func TestOpen_ReportsWhyTheServerDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, modeStandalone), nil, 0o600)) // where the server wants a directory
	_, err := Open(t.Context(), Config{Dir: dir})
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorContains(t, err, dir)
	require.NoError(t, os.Remove(filepath.Join(dir, modeStandalone)))
	open(t, Config{Dir: dir}) // nothing is left behind: neither a lock nor a server
}
