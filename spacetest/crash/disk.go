//go:build linux

package crash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// disk is a separate file system that can be filled up.
type disk struct {
	dir    string
	filled atomic.Bool
}

// errNoMount is returned by newDisk for users who may not mount.
var errNoMount = errors.New("only root can mount a small disk")

// newDisk mounts a small disk on a folder, which it creates.
func newDisk(dir string, megabytes int) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoMount, err)
	}
	return &disk{dir: dir}, nil
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill uses up all room except rest.
func (d *disk) fill(rest int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		return err
	}
	d.filled.Store(true)
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	piece := make([]byte, 1<<20)
	for left := int64(st.Bavail)*st.Bsize - rest; left > 0; left -= int64(len(piece)) {
		if _, err := f.Write(piece[:min(left, int64(len(piece)))]); err != nil {
			if errors.Is(err, syscall.ENOSPC) { // other processes write too
				return nil
			}
			return err
		}
	}
	return nil
}

// empty frees the room again.
func (d *disk) empty() error {
	err := os.Remove(d.ballast())
	d.filled.Store(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *disk) unmount() error { return syscall.Unmount(d.dir, syscall.MNT_DETACH) }
