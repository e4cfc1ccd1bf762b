package replication

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// beginStoring tells the system to write a part of a file to disk, without waiting.
func beginStoring(f *os.File, from, to int64) error {
	return ifPossible(unix.SyncFileRange(int(f.Fd()), from, to-from, unix.SYNC_FILE_RANGE_WRITE))
}

// finishStoring waits until a part of a file is stored, and has the system forget it. Its error must be handled: the
// system reports one only once.
func finishStoring(f *os.File, from, to int64) error {
	if from == to {
		return nil
	}
	const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	if err := ifPossible(unix.SyncFileRange(int(f.Fd()), from, to-from, wait)); err != nil {
		return err
	}
	return ifPossible(unix.Fadvise(int(f.Fd()), from, to-from, unix.FADV_DONTNEED))
}

// ifPossible returns nil for an error that says that a file system does not support the call: then all is stored at the
// end.
func ifPossible(err error) error {
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.ESPIPE) {
		return nil
	}
	return err
}
