package replication

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gospaces/gospaces/internal/fsync"
)

// modeStandalone marks the folder of a server that is alone. A server of a cluster deletes streams that the cluster
// does not know half a minute after its start, so a folder is only opened in the mode in which it was created, and each
// mode has its own sub-folder.
const modeStandalone = "standalone"

// modeCluster marks the folder of a node of a cluster.
const modeCluster = "cluster"

// owner is the owner of a folder.
type owner struct {
	Mode    string `json:"mode"`
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node,omitempty"`
	Outside bool   `json:"outside,omitempty"` // a NATS cluster has the logs
}

func (o owner) String() string {
	if o.Mode != modeCluster {
		return "a single server"
	}
	if o.Outside {
		return fmt.Sprintf("node %s of cluster %s, whose logs are kept by a NATS cluster", o.Node, o.Cluster)
	}
	return fmt.Sprintf("node %s of cluster %s", o.Node, o.Cluster)
}

// marker is the content of the file that identifies a folder.
type marker struct {
	Version int `json:"version"`
	owner
	ID      string `json:"id"`
	Retired uint64 `json:"retired,omitempty"` // see Store.Retire
}

const markerVersion = 1

// readMarker returns the folder's marker, and creates a missing one.
func readMarker(path string, o owner) (m marker, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		m = marker{Version: markerVersion, owner: o, ID: rand.Text()}
		return m, writeMarker(path, m)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.ID == "" {
		return m, fmt.Errorf("%s is not the marker of a log folder", filepath.Base(path))
	}
	if m.Version != markerVersion {
		return m, fmt.Errorf("has version %d; this program reads version %d: use a newer one", m.Version, markerVersion)
	}
	if m.owner != o {
		return m, fmt.Errorf("belongs to %v and %w for %v", m.owner, ErrNotOwner, o)
	}
	return m, nil
}

// Retire durably records in the folder that dropped logs have given out identities up to this one.
func (s *Store) Retire(identity uint64) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	m := s.folder.marker
	if identity <= m.Retired {
		return nil
	}
	m.Retired = identity
	if err := writeMarker(s.folder.markerPath(), m); err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	s.folder.marker = m
	return nil
}

// Retired returns the highest identity that was passed to Retire, by earlier processes too; 0 if there is none.
func (s *Store) Retired() uint64 {
	s.opening.Lock()
	defer s.opening.Unlock()
	return s.folder.marker.Retired
}

func (f *folder) markerPath() string { return filepath.Join(f.path, "store.json") }

// writeMarker writes the file atomically.
func writeMarker(path string, m marker) error {
	if err := writeJSON(path, m); err != nil {
		return err
	}
	return fsync.Folder(filepath.Dir(path))
}
