package postgres

import (
	"os"
	"path/filepath"
	"time"
)

const (
	folderPrefix = "gospaces-postgres-"

	// longestBase leaves room for the folder's own name and the socket's in the 107 bytes that a socket's path may have.
	longestBase = 50
)

// baseFolder returns where clusters live: the folder for temporary files, unless that is too long for the path of a
// socket or out of reach for the user that the server of a root process runs as.
func baseFolder() string {
	if base := os.TempDir(); os.Geteuid() != 0 && len(base) <= longestBase {
		return base
	}
	return "/tmp"
}

// sweep deletes clusters whose process was killed before it could do so. It tells by the lock, not by process id:
// the folder may be shared with processes of another container. A folder younger than a minute may not be locked yet.
func sweep(base string) {
	folders, _ := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	for _, dir := range folders {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if held, err := lock(dir); err == nil {
			os.RemoveAll(dir)
			held.Close()
		}
	}
}
