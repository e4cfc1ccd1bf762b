package postgres

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func install(t *testing.T, dir string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"initdb", "postgres"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o755))
	}
	return dir
}

func TestFind_PrefersPathThenTheNewestVersion(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, found := find("", root)
	require.False(t, found)

	install(t, filepath.Join(root, "9", "bin"))
	newest := install(t, filepath.Join(root, "17", "bin"))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "18", "bin"), 0o755)) // client programs only
	p, found := find("", root)
	require.True(t, found)
	require.Equal(t, filepath.Join(newest, "postgres"), p.postgres)

	path := install(t, t.TempDir())
	p, found = find(filepath.Join(root, "none")+string(filepath.ListSeparator)+path, root)
	require.True(t, found)
	require.Equal(t, filepath.Join(path, "initdb"), p.initdb)
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:p@h:1/a?sslmode=disable": "postgres://u:p@h:1/x?sslmode=disable",
		"postgresql://h":                       "postgresql://h/x",
		"host=/tmp dbname=a":                   "host=/tmp dbname=a dbname=x",
	} {
		got, err := withDatabase(dsn, "x")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
