package replication

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gospaces/gospaces/internal/fsync"
)

// names makes the names of the embedded server's log files durable. The server syncs what it writes, but not the folder
// in which it begins a new file, and a file without a name is lost with its content. Only holders of Log.mu use it.
type names struct {
	dir     string
	changed time.Time // when the folder changed last, as it was when it was synced
	written int64     // since
	sync    func(dir string) error
}

// blockSize is the minimum size of the server's files: it does not begin two of them while less is written.
const blockSize = 4 << 20

// stored records that n bytes were stored, and syncs the folder if it has changed. Times of changes are coarse and may
// miss the second of two close changes; but much is written between them.
func (f *names) stored(n int) error {
	f.written += int64(n)
	info, err := os.Stat(f.dir)
	if err != nil {
		return err
	}
	if info.ModTime().Equal(f.changed) && f.written < blockSize {
		return nil
	}
	if err := f.sync(f.dir); err != nil {
		return err
	}
	f.changed, f.written = info.ModTime(), 0
	return nil
}

// storedLocked follows the storing of n bytes, in a store that syncs.
func (l *alone) storedLocked(n int) error {
	if !l.store.cfg.Sync {
		return nil
	}
	if err := l.names.stored(n); err != nil {
		return fmt.Errorf("%w: sync the folder of the files: %w", ErrFailed, err)
	}
	return nil
}

// syncFolders makes the folders durable in which the server has begun a log.
func (l *alone) syncFolders() error {
	if !l.store.cfg.Sync {
		return nil
	}
	f := l.store.folder
	for dir := f.messagesDir(l.id); len(dir) > len(f.path); dir = filepath.Dir(dir) {
		if err := l.store.syncDir(dir); err != nil {
			return fmt.Errorf("%w: sync the folders of the log: %w", ErrFailed, err)
		}
	}
	return l.store.syncDir(f.path)
}

// makeDir creates a folder and its missing parents, durably.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil || !os.IsNotExist(err) {
		return os.MkdirAll(path, 0o750) // reports the error, if any
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o750); err != nil && !os.IsExist(err) {
		return err
	}
	return fsync.Folder(above)
}
