package replication

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// endUnmade removes the folders of logs that were never completely created, before the embedded server starts: the
// server creates the folder of a stream first and describes the stream afterwards, and would not start with what a kill
// in between leaves. Such a folder has no message, so nothing is lost; a folder with messages stays.
func (f *folder) endUnmade(logger *slog.Logger) error {
	dirs, err := os.ReadDir(f.streamsDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		id, ok := streamID(d.Name())
		dir := filepath.Join(f.streamsDir(), d.Name())
		if !ok || !unmade(dir) {
			continue
		}
		logger.Info("log_never_made", "log", id.String(), "folder", dir)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// unmade reports whether a folder has neither a description of its stream nor a message.
func unmade(dir string) bool {
	for _, file := range []string{server.JetStreamMetaFile, server.JetStreamMetaFileSum} {
		if info, err := os.Stat(filepath.Join(dir, file)); err == nil && info.Size() > 0 {
			continue
		}
		last, err := lastFile(filepath.Join(dir, "msgs"))
		return err == nil && last == 0
	}
	return false
}
