package replication

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
)

// seen is how far a log had come a moment ago, and in which run of the machine. During that run the operating system
// has everything written by then. It is noted about once a second, and not synced.
type seen struct {
	Incarnation string `json:"incarnation"`
	Position    uint64 `json:"position"`
	Boot        string `json:"boot"` // of the machine
}

const seenFile = "seen.json"

// readSeen returns the note of a log; the zero value if there is none that can be read.
func (f *folder) readSeen(id logID) (s seen) {
	b, err := os.ReadFile(filepath.Join(f.snapshotDir(id), seenFile))
	if err != nil || json.Unmarshal(b, &s) != nil {
		return seen{}
	}
	return s
}

// see notes how far the log has come. Write errors do not matter: the note only helps to notice a loss.
func (l *alone) see() {
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

// bootID identifies the current run of the machine; "" if the system does not provide it.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
