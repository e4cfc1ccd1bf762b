package budget

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// files creates files in a temporary folder.
func files(t *testing.T, content map[string]string) string {
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func TestGroupLimit_IsTheLeastOnTheWayUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"version 2": {map[string]string{
			"list": "0::/a/b\n", "fs/a/b/memory.max": "max\n",
			"fs/a/memory.max": "1000\n", "fs/memory.max": "5000\n",
		}, 1000},
		"version 2, in a container": {map[string]string{"list": "0::/of/the/host\n", "fs/memory.max": "3000\n"}, 3000},
		"version 2, no limit":       {map[string]string{"list": "0::/\n", "fs/memory.max": "max\n"}, 0},
		"version 1": {map[string]string{
			"list": "5:cpu:/x\n4:memory:/a\n", "fs/memory/a/memory.limit_in_bytes": "2000\n",
			"fs/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 2000},
		"nothing": {nil, 0},
	} {
		dir := files(t, c.files)
		require.Equal(t, c.want, groupLimit(filepath.Join(dir, "list"), filepath.Join(dir, "fs")), name)
	}
}

func TestMemTotal_ReadsKilobytes(t *testing.T) {
	t.Parallel()
	dir := files(t,
		map[string]string{"meminfo": "MemTotal:       16315000 kB\nMemFree: 1 kB\n", "odd": "MemTotal: much\n"})
	require.Equal(t, int64(16315000<<10), memTotal(filepath.Join(dir, "meminfo")))
	require.Zero(t, memTotal(filepath.Join(dir, "odd")))
	require.Zero(t, memTotal(filepath.Join(dir, "absent")))
	require.Positive(t, machineMemory())
}
