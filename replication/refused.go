package replication

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// refusedFolder holds the streams that the embedded server must not see.
const refusedFolder = "refused"

// putAway puts the files of a log where the server does not see them.
func (f *folder) putAway(id logID) error {
	dir := filepath.Join(f.path, refusedFolder)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return os.Rename(f.streamDir(id), filepath.Join(dir, id.stream()))
}

// bringBack puts the files of all refused logs back in their places.
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
