package replication

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gospaces/gospaces/internal/fsync"
)

// folder is a locked directory that holds logs. The directory and a file in it are both locked: where directories can
// be locked (not on NFS) it stays this process's even without the file, or under another name.
type folder struct {
	path   string
	owner  owner
	id     string // random, made once
	marker marker // guarded by Store.opening
	held   []held // the directory, the lock file and the directory of the logs
}

// unfinishedFolder is a file that is in a folder until the folder is complete.
const unfinishedFolder = "unfinished"

// openFolder makes the folder if it is missing, and locks it. It refuses a folder that was not finished. unfinished
// makes a new one unfinished until finish.
func openFolder(path string, o owner, unfinished bool) (*folder, error) {
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	f := &folder{path: path, owner: o}
	if err := f.take(); err != nil {
		_ = f.close() // nothing was written
		return nil, err
	}
	m, err := f.identify(unfinished)
	if err != nil {
		_ = f.close()
		return nil, fmt.Errorf("replication: folder %s: %w", path, err)
	}
	f.id, f.marker = m.ID, m
	return f, nil
}

// take locks the folder.
func (f *folder) take() error {
	for _, name := range []string{f.path, filepath.Join(f.path, "lock")} {
		h, err := hold(name)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("replication: folder %s %w", f.path, ErrInUse)
		}
		if err != nil {
			return fmt.Errorf("replication: lock folder %s: %w", f.path, err)
		}
		f.held = append(f.held, h)
	}
	return nil
}

// identify reads the folder's marker, and creates what is missing.
func (f *folder) identify(unfinished bool) (m marker, err error) {
	if err := checkFinished(f.path, unfinished); err != nil {
		return m, err
	}
	if m, err = readMarker(f.markerPath(), f.owner); err != nil {
		return m, err
	}
	if err := makeDir(f.data()); err != nil {
		return m, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	h, err := hold(f.data())
	if err == nil {
		f.held = append(f.held, h)
	}
	return m, err
}

// checkFinished returns an error for a folder that was not finished; it marks a new one that is to be finished later.
func checkFinished(path string, unfinished bool) error {
	mark := filepath.Join(path, unfinishedFolder)
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, errors.New("was not made to its end: empty it, and make it again"))
	}
	if !unfinished {
		return nil
	}
	f, err := os.Create(mark)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), fsync.Folder(path))
}

// finish marks the folder as complete.
func (f *folder) finish() error {
	return errors.Join(os.Remove(filepath.Join(f.path, unfinishedFolder)), fsync.Folder(f.path))
}

// data returns the directory of the embedded server's files.
func (f *folder) data() string { return filepath.Join(f.path, f.owner.Mode) }

// close unlocks the folder. It does not rely on closing the files: a child process has copies of all open files until
// it runs its program, and these would keep the lock.
func (f *folder) close() (err error) {
	for _, h := range f.held {
		err = errors.Join(err, h.release())
	}
	return err
}

// leave closes a folder that could not be opened, once a server that still reads it has ended.
func (f *folder) leave(abandoned <-chan struct{}) {
	if abandoned == nil {
		_ = f.close() // another error says more
		return
	}
	go func() {
		<-abandoned
		_ = f.close()
	}()
}

// writeJSON replaces a file as a whole. Its name is durable once its folder is.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return replaceFile(path, append(b, '\n'), true)
}

// replaceFile replaces a file as a whole.
func replaceFile(path string, b []byte, sync bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), unfinishedFile+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// unfinishedFile begins the name of a file that is being written.
const unfinishedFile = ".store-"
