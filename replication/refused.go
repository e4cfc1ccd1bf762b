package replication

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// refusals are the logs hidden from the embedded server, with the reasons. The methods may be called concurrently.
type refusals struct {
	mu  sync.Mutex
	why map[logID]error // guarded by mu
}

// of returns the reason why a log is refused; nil if it is not.
func (r *refusals) of(id logID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why[id]
}

// all returns the logs that are refused.
func (r *refusals) all() []logID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.why))
}

// forget ends the refusal of a log that was dropped.
func (r *refusals) forget(id logID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.why, id)
}

// refusedFolder holds the streams that the embedded server must not see.
const refusedFolder = "refused"

// putAway moves the files of a log out of the server's sight.
func (f *folder) putAway(id logID) error {
	to := f.refusedDir(id)
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return os.Rename(f.streamDir(id), to)
}

// refusedDir is the place of a stream while its log is refused.
func (f *folder) refusedDir(id logID) string {
	return filepath.Join(f.path, refusedFolder, id.stream())
}

// bringBack moves the files of all refused logs back.
func (f *folder) bringBack() error {
	dir := filepath.Join(f.path, refusedFolder)
	dirs, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		from, to := filepath.Join(dir, d.Name()), filepath.Join(f.streamsDir(), d.Name())
		if _, there := os.Lstat(to); there == nil {
			err = errors.Join(err, fmt.Errorf("%s and %s are both there: remove the one that is not to be used", from, to))
			continue
		}
		err = errors.Join(err, os.MkdirAll(f.streamsDir(), 0o750), os.Rename(from, to))
	}
	if err != nil {
		return err
	}
	return os.Remove(dir)
}
