package replication

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
)

// seen is how far a log had come not long ago, and since which start of the machine. As long as that is the last one,
// the operating system has all that was written by then. It is noted about once a second, and not synced.
type seen struct {
	Incarnation string `json:"incarnation"`
	Position    uint64 `json:"position"`
	Boot        string `json:"boot"` // of the machine
}

const seenFile = "seen.json"

// readSeen returns what was noted of a log; the zero value if there is nothing readable.
func (f *folder) readSeen(id logID) (s seen) {
	b, err := os.ReadFile(filepath.Join(f.snapshotDir(id), seenFile))
	if err != nil || json.Unmarshal(b, &s) != nil {
		return seen{}
	}
	return s
}

// see notes how far the log has come. What cannot be written is not missed: it is of no use but to notice a loss.
func (l *Log) see() {
	l.seeing.Lock()
	defer l.seeing.Unlock()
	now := seen{Incarnation: l.incarnation, Position: l.Last(), Boot: l.store.boot}
	if now == l.lastSeen || l.store.boot == "" {
		return
	}
	b, err := json.Marshal(now)
	if err == nil && replaceFile(filepath.Join(l.SnapshotDir(), seenFile), b, false) == nil {
		l.lastSeen = now
	}
}

// bootID returns what tells the time between two starts of the machine from all others; "" where the system does not
// tell.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
