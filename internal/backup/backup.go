// Package backup reads and writes backups of servers: a tar archive of one snapshot for each partition of each space,
// all of the same moment. A backup does not depend on nodes and folders: it can be restored to any number of them.
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
	"slices"
	"strconv"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/replication"
)

// ErrBad is returned for a file that is not a complete backup, or is damaged.
var ErrBad = errors.New("backup: bad backup")

const (
	version     = 1
	manifest    = "gospaces-backup.json" // the first file of the archive
	snapshotEnd = ".snapshot"
)

// Manifest describes a backup.
type Manifest struct {
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	Parts   []Part    `json:"parts"`
}

// Part is one partition of a space.
type Part struct {
	Space      string `json:"space"`
	Partition  int    `json:"partition"`  // from 0
	Partitions int    `json:"partitions"` // number in the space
}

// file returns the name of the part's snapshot in an archive.
func (p Part) file() string {
	return p.Space + "-" + strconv.Itoa(p.Partition) + snapshotEnd
}

// Writer writes a backup. It must not be used concurrently.
type Writer struct {
	tar  *tar.Writer
	left []Part // still to be added
}

// NewWriter begins a backup of parts, to be added in this order.
func NewWriter(w io.Writer, parts []Part) (*Writer, error) {
	b := &Writer{tar: tar.NewWriter(w), left: parts}
	m, err := json.Marshal(Manifest{Version: version, Created: time.Now().UTC(), Parts: parts})
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

// Add begins the snapshot of the next part, of size bytes, and returns the writer for it.
func (b *Writer) Add(size int64) (io.Writer, error) {
	if len(b.left) == 0 {
		return nil, errors.New("backup: there is no part left")
	}
	next := b.left[0]
	b.left = b.left[1:]
	return b.tar, b.begin(next.file(), size)
}

// Close completes the backup. It does not close the underlying writer.
func (b *Writer) Close() error {
	if len(b.left) > 0 {
		return fmt.Errorf("backup: %d parts are missing", len(b.left))
	}
	return b.tar.Close()
}

// read calls fn for the snapshot of each part of a backup; fn must read it to its end.
func read(r io.Reader, fn func(p Part, snapshot io.Reader) error) (Manifest, error) {
	archive := tar.NewReader(r)
	m, err := readManifest(archive)
	if err != nil {
		return m, err
	}
	for _, p := range m.Parts {
		head, err := archive.Next()
		if err != nil {
			return m, fmt.Errorf("%w: it is cut off before space %q", ErrBad, p.Space)
		}
		if head.Name != p.file() {
			return m, fmt.Errorf("%w: it has %q instead of %q", ErrBad, head.Name, p.file())
		}
		if err := fn(p, archive); err != nil {
			return m, fmt.Errorf("space %q: %w", p.Space, err)
		}
	}
	return m, readEnd(archive, r)
}

// readEnd returns ErrBad if anything follows the last snapshot of a backup.
func readEnd(archive *tar.Reader, r io.Reader) error {
	if head, err := archive.Next(); err == nil {
		return fmt.Errorf("%w: it has %q after its last space", ErrBad, head.Name)
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: what follows its last space is not readable", ErrBad)
	}
	n, err := io.Copy(io.Discard, r)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: %d bytes follow its end", ErrBad, n)
	}
	return err
}

func readManifest(archive *tar.Reader) (m Manifest, err error) {
	head, err := archive.Next()
	if err != nil || head.Name != manifest {
		return m, fmt.Errorf("%w: the file is not a backup", ErrBad)
	}
	var of struct{ Version int }
	b, err := io.ReadAll(io.LimitReader(archive, maxManifest))
	if err == nil {
		err = json.Unmarshal(b, &of)
	}
	if err == nil && of.Version != version {
		return m, fmt.Errorf("%w: it has version %d; this program reads version %d: use a newer one",
			ErrBad, of.Version, version)
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, fmt.Errorf("%w: its list of contents is not readable", ErrBad)
	}
	return m, m.check()
}

// check returns ErrBad unless the manifest has all partitions of each space that it has, each once.
func (m *Manifest) check() error {
	left := map[string]int{}
	seen := map[Part]bool{}
	for _, p := range m.Parts {
		if _, known := left[p.Space]; !known {
			left[p.Space] = p.Partitions
		}
		if left[p.Space]--; p.Partition < 0 || p.Partition >= p.Partitions || seen[p] {
			return fmt.Errorf("%w: its list of contents has partition %d of %d of space %q", ErrBad, p.Partition, p.Partitions,
				p.Space)
		}
		seen[p] = true
	}
	for name, n := range left {
		if n != 0 {
			return fmt.Errorf("%w: its list of contents lacks a partition of space %q", ErrBad, name)
		}
	}
	return nil
}

// maxManifest is larger than any manifest.
const maxManifest = 64 << 20

// Space summarizes one partition of a space.
type Space struct {
	Name      string         `json:"space"`
	Partition int            `json:"partition,omitempty"` // from 0
	Position  uint64         `json:"position"`            // of the last change
	Taken     time.Time      `json:"taken,omitzero"`
	Entries   map[string]int `json:"entries"` // by kind
}

// Verify reads a backup to its end and rebuilds its state in memory. It returns a summary of each partition, and
// ErrBad, replication.ErrBadSnapshot or record.ErrCorrupt if the backup is damaged.
func Verify(r io.Reader) (found []Space, err error) {
	_, err = read(r, func(p Part, snapshot io.Reader) error {
		e := engine.New(engine.Config{Partition: uint16(p.Partition)}, 0)
		l := e.Load()
		h, err := replication.ReadSnapshot(snapshot, skipUnread(l.Add))
		if err == nil {
			err = l.Finish()
		}
		if err != nil {
			return err
		}
		found = append(found, Space{
			Name: p.Space, Partition: p.Partition, Position: h.Position, Taken: h.Created, Entries: entries(e),
		})
		return nil
	})
	return found, err
}

// Restore creates a data folder, which must be missing or empty, from a backup. A server started on it continues from
// there; until the folder is complete no server can be started on it. Restore returns the spaces.
func Restore(ctx context.Context, r io.Reader, dir string) ([]string, error) {
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return nil, fmt.Errorf("backup: folder %s is not empty: name a new one with --data", dir)
	}
	store, err := replication.Open(ctx, replication.Config{Dir: dir, Sync: true, Unfinished: true})
	if err != nil {
		return nil, err
	}
	var names []string
	_, err = read(r, func(p Part, snapshot io.Reader) error {
		names = append(names, p.Space)
		log, err := store.Log(ctx, p.Space, p.Partition)
		if err != nil {
			return err
		}
		_, err = log.Restore(snapshot)
		return err
	})
	if err == nil {
		err = store.Finish()
	}
	err = errors.Join(err, store.Close())
	if err != nil {
		return nil, errors.Join(err, Discard(dir))
	}
	return slices.Compact(names), nil
}

// Discard removes the contents of an incomplete data folder, so that no server is started on part of it. The caller
// must have created the folder: nothing else may be lost, so dir is taken literally, and an empty dir is an error
// rather than the working folder.
func Discard(dir string) error {
	made, err := os.ReadDir(dir)
	for _, entry := range made {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}
