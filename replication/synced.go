package replication

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/gospaces/gospaces/internal/fsync"
)

// streamsDir returns the folder of the embedded server's streams.
func (f *folder) streamsDir() string {
	return filepath.Join(f.data(), "jetstream", server.DEFAULT_GLOBAL_ACCOUNT, "streams")
}

// streamDir returns the folder of the stream of a log.
func (f *folder) streamDir(id logID) string { return filepath.Join(f.streamsDir(), id.stream()) }

// messagesDir returns the folder of the files that hold the messages of a log.
func (f *folder) messagesDir(id logID) string {
	return filepath.Join(f.streamDir(id), "msgs")
}

// syncFiles makes what the embedded server has written of the log durable. Without Sync the server does so only now and
// then.
func (l *alone) syncFiles() error {
	dir := l.store.folder.messagesDir(l.id)
	last, err := lastFile(dir)
	if err != nil {
		return err
	}
	from := max(1, l.syncedFile.Load())
	for n := from; n <= int64(last); n++ {
		if err := syncFile(filepath.Join(dir, strconv.FormatInt(n, 10)+blockSuffix)); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	l.syncedFile.Store(int64(last))
	return fsync.Folder(dir)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
