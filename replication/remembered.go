package replication

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// remembered returns the logs that the folder remembers and that do not exist.
func (s *Store) remembered() (ids []logID, err error) {
	dirs, err := os.ReadDir(filepath.Join(s.folder.path, snapshotsFolder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, d := range dirs {
		id, ok := streamID("log-" + d.Name())
		if ok && errors.Is(s.forgotten(id), ErrLost) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// forgotten returns nil if the folder remembers nothing of a log, and ErrLost if it does.
func (s *Store) forgotten(id logID) error {
	w, err := s.folder.readWitness(id)
	if err != nil || w.Dropped {
		return err
	}
	positions, err := s.snapshots(id)
	if err != nil || w.Stream == "" && len(positions) == 0 {
		return err
	}
	reached, snapshot := w.Reached, "there is no snapshot of it"
	if len(positions) > 0 {
		reached, snapshot = max(reached, positions[0]), fmt.Sprintf("its newest snapshot is of position %d", positions[0])
	}
	return fmt.Errorf("%w: %v is not there; it had reached position %d, and %s", ErrLost, id, reached, snapshot)
}
