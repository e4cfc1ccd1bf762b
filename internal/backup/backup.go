// Package backup reads and writes backups of servers: a tar archive of one snapshot for each space, all of one moment.
package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/replication"
)

// ErrBad is returned for a file that is no whole backup, or was damaged.
var ErrBad = errors.New("backup: bad backup")

const (
	version     = 1
	manifest    = "gospaces-backup.json" // the first file of the archive
	snapshotEnd = ".snapshot"
)

// Manifest says what a backup is.
type Manifest struct {
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	Spaces  []string  `json:"spaces"`
}

// Writer writes a backup. It must not be used concurrently.
type Writer struct {
	tar  *tar.Writer
	left []string // spaces that are still to come
}

// NewWriter begins a backup of the named spaces, which Add adds in this order.
func NewWriter(w io.Writer, spaces []string) (*Writer, error) {
	b := &Writer{tar: tar.NewWriter(w), left: spaces}
	m, err := json.Marshal(Manifest{Version: version, Created: time.Now().UTC(), Spaces: spaces})
	if err != nil {
		return nil, err
	}
	if err := b.begin(manifest, int64(len(m))); err != nil {
		return nil, err
	}
	_, err = b.tar.Write(m)
	return b, err
}

func (b *Writer) begin(name string, size int64) error {
	return b.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o640, ModTime: time.Now()})
}

// Add begins the snapshot of the next space, which has so many bytes; they are written to the Writer that it returns.
func (b *Writer) Add(space string, size int64) (io.Writer, error) {
	if len(b.left) == 0 || b.left[0] != space {
		return nil, fmt.Errorf("backup: space %q comes out of turn", space)
	}
	b.left = b.left[1:]
	return b.tar, b.begin(space+snapshotEnd, size)
}

// Close completes the backup. It does not close what it was written to.
func (b *Writer) Close() error {
	if len(b.left) > 0 {
		return fmt.Errorf("backup: %d spaces are missing", len(b.left))
	}
	return b.tar.Close()
}

// read calls fn for the snapshot of each space in a backup, which must read it to its end.
func read(r io.Reader, fn func(space string, snapshot io.Reader) error) (Manifest, error) {
	var m Manifest
	archive := tar.NewReader(r)
	head, err := archive.Next()
	if err != nil || head.Name != manifest {
		return m, fmt.Errorf("%w: it is something else", ErrBad)
	}
	if err := json.NewDecoder(archive).Decode(&m); err != nil {
		return m, fmt.Errorf("%w: its list of contents is not readable", ErrBad)
	}
	if m.Version != version {
		return m, fmt.Errorf("%w: it has version %d; this program reads version %d", ErrBad, m.Version, version)
	}
	for _, name := range m.Spaces {
		head, err := archive.Next()
		if err != nil {
			return m, fmt.Errorf("%w: it is cut off before space %q", ErrBad, name)
		}
		if space, ok := strings.CutSuffix(head.Name, snapshotEnd); !ok || space != name {
			return m, fmt.Errorf("%w: it has %q instead of space %q", ErrBad, head.Name, name)
		}
		if err := fn(name, archive); err != nil {
			return m, fmt.Errorf("space %q: %w", name, err)
		}
	}
	return m, nil
}

// Space tells what there is of one space.
type Space struct {
	Name     string         `json:"space"`
	Position uint64         `json:"position"` // of the last change
	Taken    time.Time      `json:"taken,omitzero"`
	Entries  map[string]int `json:"entries"` // by kind
}

// Verify reads a backup to its end and makes its state in memory. It returns what there is in it, and ErrBad, replication.ErrBadSnapshot or
// record.ErrCorrupt if anything is not as it was written.
func Verify(r io.Reader) (found []Space, err error) {
	_, err = read(r, func(space string, snapshot io.Reader) error {
		e := engine.New(engine.Limits{}, 0)
		l := e.Load()
		h, err := replication.ReadSnapshot(snapshot, skipUnread(l.Add))
		if err == nil {
			err = l.Finish()
		}
		found = append(found, Space{Name: space, Position: h.Position, Taken: h.Created, Entries: entries(e)})
		return err
	})
	return found, err
}

// Restore makes a data folder, which must not be there or be empty, from a backup. A server that is started on it goes on from there. It returns the spaces.
func Restore(ctx context.Context, r io.Reader, dir string) ([]string, error) {
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return nil, fmt.Errorf("backup: folder %s is not empty: restore into a new one", dir)
	}
	store, err := replication.Open(ctx, replication.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	m, err := read(r, func(space string, snapshot io.Reader) error {
		log, err := store.Log(ctx, space, 0)
		if err != nil {
			return err
		}
		_, err = log.Restore(snapshot)
		return err
	})
	err = errors.Join(err, store.Close())
	if err != nil {
		return nil, errors.Join(err, Discard(dir))
	}
	return m.Spaces, nil
}

// Discard removes what is in a data folder that was not made to its end, lest a server be started on half of it.
func Discard(dir string) error {
	made, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, path := range made {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}
