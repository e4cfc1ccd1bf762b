package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
)

// golden is the content of the files in testdata. TestMakeGolden wrote them.
var golden = map[string]map[string]int{"default": {"job": 4, "note": 1}, "other": {"job": 1}}

func requireGolden(t *testing.T, found []backup.Space) {
	t.Helper()
	got := map[string]map[string]int{}
	for _, s := range found {
		got[s.Name] = s.Entries
	}
	require.Equal(t, golden, got)
}

func TestGolden_BackupIsRead(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(goldenBackup)
	require.NoError(t, err)
	found, err := backup.Verify(bytes.NewReader(b))
	require.NoError(t, err)
	requireGolden(t, found)

	dir := filepath.Join(t.TempDir(), "data")
	names, err := backup.Restore(t.Context(), bytes.NewReader(b), dir)
	require.NoError(t, err)
	require.Equal(t, []string{"default", "other"}, names)
	found, err = backup.VerifyFolder(t.Context(), dir)
	require.NoError(t, err)
	requireGolden(t, found)
	requireServes(t, dir, []int64{3, 4, 5, 6})

	_, err = backup.Restore(t.Context(), bytes.NewReader(b), dir)
	require.ErrorContains(t, err, "not empty")
}

func TestGolden_FolderIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, goldenFolder, dir)
	found, err := backup.VerifyFolder(t.Context(), dir)
	require.NoError(t, err)
	requireGolden(t, found)
	requireServes(t, dir, []int64{3, 4, 5, 6})
}

func TestVerifyFolder_NamesADamagedSnapshotThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.NoError(t, err)
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	_, err = space.Write(t.Context(), c, Job{ID: 1})
	require.NoError(t, err)
	_, err = c.Snapshot(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
	found, err := backup.VerifyFolder(t.Context(), dir)
	require.NoError(t, err)
	require.Len(t, found, 1)

	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "*.snapshot"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(files[0], b, 0o644))
	_, err = backup.VerifyFolder(t.Context(), dir) // the log also has everything
	require.ErrorIs(t, err, replication.ErrBadSnapshot)
	require.ErrorContains(t, err, files[0])
}

type Job struct{ ID int64 }

// requireServes starts a server on a folder and checks its jobs, oldest first.
func requireServes(t *testing.T, dir string, want []int64) {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close(t.Context())) }()
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	defer c.Close()
	var got []int64
	for {
		j, err := space.Take(t.Context(), c, Job{}, space.NoWait())
		if errors.Is(err, space.ErrNoMatch) {
			break
		}
		require.NoError(t, err)
		got = append(got, j.ID)
	}
	require.Equal(t, want, got)
}

func unpack(t *testing.T, path, dir string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		to := filepath.Join(dir, filepath.Clean("/"+h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(to, 0o750))
			continue
		}
		b, err := io.ReadAll(in)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, b, fs.FileMode(h.Mode)))
	}
}

// Every kind of damage to a backup is noticed, and nothing is restored.
func TestVerify_NoticesDamage(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(goldenBackup)
	require.NoError(t, err)
	end := len(bytes.TrimRight(whole, "\x00"))
	for at := 0; at < end; at += 7 {
		_, err := backup.Verify(bytes.NewReader(whole[:at]))
		require.Error(t, err, "cut off at %d", at)
	}
	var more bytes.Buffer
	files := tar.NewWriter(&more)
	require.NoError(t, files.WriteHeader(&tar.Header{Name: "more", Size: 0}))
	for name, bad := range map[string][]byte{
		"cut off":     whole[:end/2],
		"garbage":     append(bytes.Clone(whole), "garbage"...),
		"zeros":       append(bytes.Clone(whole), make([]byte, 512)...),
		"itself":      append(bytes.Clone(whole), whole...),
		"a file more": append(bytes.Clone(whole[:len(whole)-1024]), more.Bytes()...),
		"no tar":      append(bytes.Clone(whole[:len(whole)-1024]), bytes.Repeat([]byte("x"), 2048)...),
	} {
		_, err = backup.Verify(bytes.NewReader(bad))
		require.ErrorIs(t, err, backup.ErrBad, name)
		dir := filepath.Join(t.TempDir(), "data")
		_, err = backup.Restore(t.Context(), bytes.NewReader(bad), dir)
		require.ErrorIs(t, err, backup.ErrBad, name)
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.Empty(t, left, name)
	}
}

// A killed restore leaves a folder that no server accepts as complete; a failed one leaves nothing, whatever the name
// of the folder.
func TestRestore_LeavesTheWholeOrNothing(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(goldenBackup)
	require.NoError(t, err)
	second := bytes.Index(whole, []byte("other-0"))
	require.Positive(t, second)
	dir := filepath.Join(t.TempDir(), "[a-z")
	killed := filepath.Join(t.TempDir(), "killed")
	cut := io.MultiReader(bytes.NewReader(whole[:second]), readerFunc(func([]byte) (int, error) {
		require.NoError(t, os.CopyFS(killed, os.DirFS(dir))) // as a kill would leave it now
		return 0, io.ErrUnexpectedEOF
	}))
	_, err = backup.Restore(t.Context(), cut, dir)
	require.Error(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	files, err := filepath.Glob(filepath.Join(killed, "snapshots", "*", "*.snapshot"))
	require.NoError(t, err)
	require.Len(t, files, 1, "one space of two")
	_, err = node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: killed})
	require.EqualError(t, err, "replication: folder "+killed+": was not made to its end: empty it, and make it again")
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func FuzzVerify(f *testing.F) {
	whole, err := os.ReadFile(goldenBackup)
	require.NoError(f, err)
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = backup.Verify(bytes.NewReader(b)) // it returns, and does not panic
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20+1000*len(b)), "no length is believed")
	})
}

// Files of a newer program are refused with a one-line error; they are never treated as damage, nor is something older
// used instead.
func TestNewer_IsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(goldenBackup)
	require.NoError(t, err)
	_, err = backup.Verify(bytes.NewReader(bytes.Replace(b, []byte(`"version":1`), []byte(`"version":9`), 1)))
	require.EqualError(t, err, "backup: bad backup: it has version 9; this program reads version 1: use a newer one")
	_, err = backup.Verify(bytes.NewReader(bytes.Replace(b, []byte(`"partitions":1`), []byte(`"partitions":3`), 1)))
	require.EqualError(t, err, `backup: bad backup: its list of contents lacks a partition of space "default"`)
	_, err = backup.Verify(bytes.NewReader(bytes.Replace(b, []byte("gospaces snapshot 1"), []byte("gospaces snapshot 9"),
		1)))
	require.EqualError(t, err,
		`space "default": replication: unknown format: snapshot of format 9; this program reads format 1: use a newer one`)

	dir := t.TempDir()
	unpack(t, goldenFolder, dir)
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "default-0", "*.snapshot"))
	require.NoError(t, err)
	edit(t, files[len(files)-1], "gospaces snapshot 1", "gospaces snapshot 9")
	_, err = node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.ErrorContains(t, err, "snapshot of format 9; this program reads format 1: use a newer one")

	edit(t, filepath.Join(dir, "store.json"), `"version":1`, `"version":9`)
	_, err = node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.EqualError(t, err, "replication: folder "+dir+": has version 9; this program reads version 1: use a newer one")
}

// edit replaces a text in a file.
func edit(t *testing.T, path, from, to string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(b), from)
	require.NoError(t, os.WriteFile(path, bytes.Replace(b, []byte(from), []byte(to), 1), 0o600))
}

func TestDiscard_RemovesNothingBesideTheFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"data[1]", "data1"} { // as a pattern, the former would match the latter
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	}
	require.ErrorIs(t, backup.Discard(""), fs.ErrNotExist)
	require.FileExists(t, "data[1]/file", "no folder is not the working folder")

	require.NoError(t, backup.Discard("data[1]"))
	require.NoFileExists(t, "data[1]/file")
	require.FileExists(t, "data1/file")
}
