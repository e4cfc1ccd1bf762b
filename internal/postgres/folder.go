package postgres

import (
	"os"
	"path/filepath"
	"time"
)

const (
	folderPrefix = "gospaces-postgres-"

	// longestBase leaves room for the names of the folder and the socket in the 107 bytes that the path of a socket may
	// have.
	longestBase = 50
)

// baseFolder returns the folder for clusters: the folder for temporary files, unless that is too long for the path of a
// socket, or not accessible to the user that runs the server of a root process.
func baseFolder() string {
	if base := os.TempDir(); os.Geteuid() != 0 && len(base) <= longestBase {
		return base
	}
	return "/tmp"
}

// sweep deletes clusters whose process was killed before it could delete them. It checks the lock, not the process id:
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
