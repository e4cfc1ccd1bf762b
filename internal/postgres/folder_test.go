package postgres

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSweep_KeepsClustersInUse(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	old := time.Unix(0, 0)
	used, left := filepath.Join(base, folderPrefix+"used"), filepath.Join(base, folderPrefix+"left")
	young := filepath.Join(base, folderPrefix+"young")
	for _, dir := range []string{used, left, young} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	held, err := lock(used)
	require.NoError(t, err)
	defer held.Close()
	require.NoError(t, os.Chtimes(used, old, old))
	require.NoError(t, os.Chtimes(left, old, old))
	sweep(base)
	require.DirExists(t, used)
	require.NoDirExists(t, left)
	require.DirExists(t, young)
}
