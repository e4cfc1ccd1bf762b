package replication

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/fsync"
)

// durableNames are the names that folders had when they were synced.
type durableNames struct {
	mu    sync.Mutex
	byDir map[string][]string
}

func (d *durableNames) sync(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byDir[dir] = nil
	for _, f := range files {
		d.byDir[dir] = append(d.byDir[dir], f.Name())
	}
	return fsync.Folder(dir)
}

// has reports whether the name of a file, and those of all folders above it up to the store's, would be there after a
// loss of power.
func (d *durableNames) has(s *Store, path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; path != s.folder.path; path = filepath.Dir(path) {
		found := false
		for _, name := range d.byDir[filepath.Dir(path)] {
			found = found || name == filepath.Base(path)
		}
		if !found {
			return false
		}
	}
	return true
}

// What is acknowledged is in files whose names are durable, from the first one on.
func TestSync_NamesOfFilesAreDurable(t *testing.T) {
	t.Parallel()
	d := &durableNames{byDir: map[string][]string{}}
	s := open(t, Config{Sync: true})
	s.syncDir = d.sync
	l := primary(t, s)
	begun := 0
	for n := uint64(1); n <= damageMessages; n++ {
		require.NoError(t, l.Append(commit(n, damageSize)))
		files, err := filepath.Glob(filepath.Join(streamDir(s.folder.path), "msgs", "*"+blockSuffix))
		require.NoError(t, err)
		begun = max(begun, len(files))
		for _, file := range files {
			require.True(t, d.has(s, file), "message %d: %s", n, file)
		}
	}
	require.Greater(t, begun, 2)
}
