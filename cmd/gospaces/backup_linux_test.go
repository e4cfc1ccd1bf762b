package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A pipe, and standard output whatever it is, are written to: nothing takes their place. A link stays one.
func TestBackup_WritesIntoWhatIsNoFile(t *testing.T) {
	t.Parallel()
	s := serve(t, "--data", t.TempDir())
	s.must(t, "write", "job", `{"id": 1}`)
	dir := t.TempDir()
	requireBackup := func(file string) {
		r := cli(t, "verify", file)
		require.Zero(t, r.code, r.err)
		require.Contains(t, r.out, `"entries":{"job":1}`)
	}

	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, force := range []string{"--force", "--force=false"} {
		read := make(chan []byte, 1)
		go func() {
			f, err := os.Open(pipe)
			if err != nil {
				close(read)
				return
			}
			defer f.Close()
			b, _ := io.ReadAll(f)
			read <- b
		}()
		require.Contains(t, s.must(t, "backup", pipe, force), `"space":"default"`)
		info, err := os.Stat(pipe)
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&os.ModeNamedPipe)
		through := filepath.Join(dir, "through")
		require.NoError(t, os.WriteFile(through, <-read, 0o600))
		requireBackup(through)
	}

	out, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	defer out.Close()
	var said strings.Builder
	args := []string{"--addr", s.addr, "backup", out.Name(), "--force"}
	require.Zero(t, run(t.Context(), args, getenv(nil), strings.NewReader(""), out, &said), said.String())
	require.Contains(t, said.String(), `"space":"default"`)
	requireBackup(out.Name())

	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(out.Name(), link))
	s.must(t, "backup", link, "--force")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	requireBackup(link)
}
