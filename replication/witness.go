package replication

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gospaces/gospaces/internal/fsync"
)

// witness is a folder's record of a log, outside the log's own files. Together with the snapshots it shows that a log,
// or its end, is lost before new entries get the identities of lost ones. It does not exist before the log is first
// claimed.
type witness struct {
	Stream      string `json:"stream"`            // identity of the stream that holds the log, made with it
	Incarnation string `json:"incarnation"`       // of the log: that of the stream, or a new one after an accepted loss
	Reached     uint64 `json:"reached"`           // a position up to which the log was on the disk
	Lost        bool   `json:"lost,omitempty"`    // a loss was accepted, and the log does not have that yet
	Losses      int    `json:"losses,omitempty"`  // number of losses of the log
	Dropped     bool   `json:"dropped,omitempty"` // the log is being removed
}

const witnessFile = "log.json"

// readWitness returns the witness of a log; the zero value if there is none.
func (f *folder) readWitness(id logID) (w witness, err error) {
	path := filepath.Join(f.snapshotDir(id), witnessFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err == nil && json.Unmarshal(b, &w) != nil {
		return witness{}, fmt.Errorf("%w: %s, which says how far log %v has come, is not readable", ErrDamaged, path, id)
	}
	if err != nil {
		err = fmt.Errorf("replication: %w", err)
	}
	return w, err
}

// writeWitness replaces the witness, durably.
func (s *Store) writeWitness(id logID, w witness) error { return s.folder.writeWitness(id, w) }

func (f *folder) writeWitness(id logID, w witness) error {
	dir := f.snapshotDir(id)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	if err := writeJSON(filepath.Join(dir, witnessFile), w); err != nil {
		return fmt.Errorf("replication: note of log %v: %w", id, err)
	}
	return f.syncSnapshots(id)
}

// syncSnapshots makes the names of a log's snapshots durable, with those of the folders above, which may be new.
func (s *Store) syncSnapshots(id logID) error { return s.folder.syncSnapshots(id) }

func (f *folder) syncSnapshots(id logID) error {
	dir := f.snapshotDir(id)
	for _, dir := range []string{dir, filepath.Dir(dir), f.path} {
		if err := fsync.Folder(dir); err != nil {
			return fmt.Errorf("replication: %w", err)
		}
	}
	return nil
}

// reach makes the log durable up to a position, and records that. Before the log is first claimed it does nothing: a
// restored log begins after its snapshot.
func (l *alone) reach(position uint64) error {
	w, err := l.store.folder.readWitness(l.id)
	if err != nil || w.Stream == "" || w.Lost || position <= w.Reached {
		return err
	}
	if !l.store.cfg.Sync {
		if err := l.syncFiles(); err != nil {
			return fmt.Errorf("replication: sync log %v: %w", l.id, err)
		}
	}
	w.Reached = position
	return l.store.writeWitness(l.id, w)
}

// noteClaim records that the log has a primary again, whose claim at a position has told what was lost. Without Sync
// the claim is not on the disk yet, and the end in the witness does not rise.
func (l *alone) noteClaim(claim uint64) error {
	w, err := l.store.folder.readWitness(l.id)
	if err != nil {
		return err
	}
	now := witness{Stream: l.stream, Incarnation: l.incarnation, Reached: w.Reached, Losses: w.Losses}
	if l.store.cfg.Sync {
		now.Reached = claim
	}
	if now != w {
		if err := l.store.writeWitness(l.id, now); err != nil {
			return err
		}
	}
	if err := l.findFiles(); err != nil {
		return err
	}
	l.serving.Store(true)
	l.store.served.Store(l, nil)
	return nil
}
