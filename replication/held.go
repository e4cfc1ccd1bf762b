package replication

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// held is a locked file or directory. While it is open, no other file can get its name and its identity.
type held struct {
	file *os.File
	info fs.FileInfo
}

// hold opens a directory or a file, which is created if missing, and locks it until release, or the end of the process.
// It returns EWOULDBLOCK if another process has locked it. A directory that cannot be locked is only opened.
func hold(path string) (held, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	}
	if err != nil {
		return held{}, err
	}
	info, err := f.Stat()
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil && info.IsDir() && !errors.Is(err, syscall.EWOULDBLOCK) {
			err = nil
		}
	}
	if err != nil {
		_ = f.Close()
		return held{}, err
	}
	return held{f, info}, nil
}

// there reports whether the name still refers to the held file.
func (h held) there() bool {
	info, err := os.Stat(h.file.Name())
	return err == nil && os.SameFile(info, h.info) || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// release unlocks and closes it.
func (h held) release() error {
	return errors.Join(syscall.Flock(int(h.file.Fd()), syscall.LOCK_UN), h.file.Close())
}
