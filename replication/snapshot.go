package replication

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// A snapshot file is a magic line, a header, and blocks of records. A block is its size (4 bytes), a checksum (4 bytes,
// over the number of the block and what follows) and the bytes. The header, in JSON, is block 0. A block without bytes
// is the last.

// snapshotMagic begins the file; the digit is the version of the format.
const snapshotMagic = "gospaces snapshot 1\n"

// SnapshotHeader describes a snapshot.
type SnapshotHeader struct {
	Space       string    `json:"space"`
	Partition   int       `json:"partition"`
	Incarnation string    `json:"incarnation"`
	Position    uint64    `json:"position"` // of the last group of the log in the state
	Claims      []uint64  `json:"claims"`   // positions up to there at which epochs begin
	Created     time.Time `json:"created"`
	Origin      *Origin   `json:"origin,omitempty"` // of the log

	Clock record.Clock `json:"clock,omitzero"` // of the primary, at that position or later

	// Stored is when the message at the position was stored, in nanoseconds since the Unix epoch; 0: not known.
	Stored int64 `json:"stored,omitempty"`
}

// ErrNewer is returned for a snapshot written by a newer program.
var ErrNewer = errors.New("replication: unknown format")

// ErrBadSnapshot is returned for a file that is not a complete snapshot, or is damaged.
var ErrBadSnapshot = errors.New("replication: bad snapshot")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot is a snapshot being written. Commit puts it in place atomically. It must not be used concurrently.
type Snapshot struct {
	log    *Log
	header SnapshotHeader
	file   *os.File
	w      *bufio.Writer
	blocks uint64
	size   int64
}

// unfinishedSnapshot begins the name of a file until the snapshot is complete.
const unfinishedSnapshot = ".snapshot-"

// Snapshot begins a snapshot of the state at a position of the log; clock is that of its primary. Commit or Abort must
// follow.
func (l *Log) Snapshot(position uint64, clock record.Clock) (*Snapshot, error) {
	l.stateMu.Lock()
	origin := l.origin
	l.stateMu.Unlock()
	return l.snapshot(position, clock, origin)
}

func (l *Log) snapshot(position uint64, clock record.Clock, origin *Origin) (*Snapshot, error) {
	stored, err := l.home.stamp(l.life, position)
	if err != nil {
		return nil, fmt.Errorf("snapshot of log %v: %w", l.id, err)
	}
	return l.writeSnapshot(SnapshotHeader{
		Space: l.id.space, Partition: l.id.partition, Incarnation: l.Incarnation(), Stored: stored,
		Position: position, Claims: l.claimsUpTo(position), Created: time.Now().UTC(), Clock: clock, Origin: origin,
	})
}

// writeSnapshot begins a snapshot with a header.
func (l *Log) writeSnapshot(h SnapshotHeader) (*Snapshot, error) {
	if err := l.home.present(); err != nil {
		return nil, err
	}
	dir := l.SnapshotDir()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	f, err := os.CreateTemp(dir, unfinishedSnapshot+"*")
	if err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	s := &Snapshot{log: l, file: f, w: bufio.NewWriter(&paced{file: f}), header: h}
	header, err := json.Marshal(s.header)
	if err == nil {
		_, err = s.w.WriteString(snapshotMagic)
	}
	if err == nil {
		err = s.Write(header)
	}
	if err != nil {
		return nil, errors.Join(err, s.Abort())
	}
	return s, nil
}

// Write adds whole records. It blocks while they are written.
func (s *Snapshot) Write(records []byte) error {
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(records)))
	binary.LittleEndian.PutUint32(head[4:], blockSum(s.blocks, records))
	s.blocks++
	s.size += int64(len(head) + len(records))
	if err := s.log.store.disk.admit(len(records)); err != nil {
		return err
	}
	if _, err := s.w.Write(head[:]); err != nil {
		return fmt.Errorf("replication: write snapshot: %w", err)
	}
	if _, err := s.w.Write(records); err != nil {
		return fmt.Errorf("replication: write snapshot: %w", err)
	}
	return nil
}

// blockSum returns the checksum of a block.
func blockSum(number uint64, b []byte) uint32 {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], number)
	return crc32.Update(crc32.Checksum(n[:], castagnoli), castagnoli, b)
}

// Commit puts the snapshot in place, durably, and removes all but the last ones. It blocks until it is on disk. After
// an error nothing is left of it.
func (s *Snapshot) Commit() error {
	err := s.Write(nil)
	err = errors.Join(err, s.w.Flush(), s.file.Sync(), s.file.Close())
	if err == nil {
		err = s.log.keepOther(s.header.Position)
	}
	if err == nil {
		err = os.Rename(s.file.Name(), s.log.snapshotPath(s.header.Position))
	}
	if err != nil {
		_ = os.Remove(s.file.Name())
		return fmt.Errorf("replication: snapshot of log %v: %w", s.log.id, err)
	}
	if err := s.log.store.syncSnapshots(s.log.id); err != nil {
		return fmt.Errorf("snapshot of log %v: %w", s.log.id, err)
	}
	if err := s.log.home.reach(s.header.Position); err != nil {
		return fmt.Errorf("snapshot of log %v: %w", s.log.id, err)
	}
	s.log.recount(s.header.Position)
	return s.log.removeOldSnapshots()
}

// Abort removes what was written.
func (s *Snapshot) Abort() error {
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// Size returns the bytes written so far.
func (s *Snapshot) Size() int64 { return s.size }

// readSnapshotFile is ReadSnapshot of a file.
func readSnapshotFile(path string, fn func(records []byte) error) (SnapshotHeader, error) {
	f, err := os.Open(path)
	if err != nil {
		return SnapshotHeader{}, fmt.Errorf("replication: %w", err)
	}
	defer f.Close()
	h, err := ReadSnapshot(f, fn)
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return h, err
}

// ReadSnapshot reads a snapshot to its end and calls fn, if not nil, for the records of each block. It returns
// ErrBadSnapshot, with the place, if the snapshot is damaged; fn may have been called before. The records are valid
// only during fn.
func ReadSnapshot(in io.Reader, fn func(records []byte) error) (SnapshotHeader, error) {
	return ReadSnapshotAs(in, func(SnapshotHeader) (func(records []byte) error, error) { return fn, nil })
}

// ReadSnapshotAs is ReadSnapshot with the fn that as returns for the header, or the error of as.
func ReadSnapshotAs(in io.Reader,
	as func(SnapshotHeader) (fn func(records []byte) error, err error),
) (SnapshotHeader, error) {
	r := newBlockReader(in)
	h, err := r.header()
	if err != nil {
		return h, err
	}
	fn, err := as(h)
	if err == nil {
		err = r.each(fn)
	}
	return h, err
}

// Restore makes a snapshot, usually of another log, the state of an empty log: Load and CatchUp go on from there. It
// returns the snapshot's header, or ErrBadSnapshot if it is damaged; then nothing has changed.
func (l *Log) Restore(in io.Reader) (SnapshotHeader, error) {
	if l.store.cfg.Cluster != nil {
		return SnapshotHeader{}, errCluster
	}
	r := newBlockReader(in)
	h, err := r.header()
	if err != nil {
		return h, err
	}
	s, err := l.Snapshot(h.Position, h.Clock)
	if err != nil {
		return h, err
	}
	if err := r.each(s.Write); err != nil {
		return h, errors.Join(err, s.Abort())
	}
	return h, s.Commit()
}

// blockReader reads the blocks of a snapshot file.
type blockReader struct {
	r      *bufio.Reader
	blocks uint64
	buf    []byte
}

func newBlockReader(in io.Reader) *blockReader {
	return &blockReader{r: bufio.NewReaderSize(in, 1<<20)}
}

// header reads the magic and the header.
func (r *blockReader) header() (h SnapshotHeader, err error) {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(r.r, magic); err != nil || string(magic[:len(magic)-2]) != snapshotMagic[:len(magic)-2] {
		return h, fmt.Errorf("%w: it is something else", ErrBadSnapshot)
	}
	switch format := magic[len(magic)-2]; {
	case string(magic) == snapshotMagic:
	case '1' < format && format <= '9' && magic[len(magic)-1] == '\n':
		return h, fmt.Errorf("%w: snapshot of format %c; this program reads format 1: use a newer one", ErrNewer, format)
	default:
		return h, fmt.Errorf("%w: it is something else", ErrBadSnapshot)
	}
	b, err := r.next()
	if err != nil {
		return h, err
	}
	if json.Unmarshal(b, &h) != nil {
		return h, fmt.Errorf("%w: its header is not readable", ErrBadSnapshot)
	}
	return h, nil
}

// each calls fn, if that is not nil, for the blocks that are left.
func (r *blockReader) each(fn func(records []byte) error) error {
	for {
		b, err := r.next()
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return r.end()
		}
		if fn == nil {
			continue
		}
		if err := fn(b); err != nil {
			return err
		}
	}
}

// maxBlock is larger than any block.
const maxBlock = 1 << 30

// next returns the next block, which is valid until the following call.
func (r *blockReader) next() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: block %d is cut off", ErrBadSnapshot, r.blocks)
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n > maxBlock {
		return nil, fmt.Errorf("%w: block %d is damaged", ErrBadSnapshot, r.blocks)
	}
	b, err := r.read(int(n))
	if err != nil {
		return nil, fmt.Errorf("%w: block %d is cut off", ErrBadSnapshot, r.blocks)
	}
	if blockSum(r.blocks, b) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("%w: block %d is damaged", ErrBadSnapshot, r.blocks)
	}
	r.blocks++
	return b, nil
}

// read reads n bytes. The buffer grows with the data, not by what a damaged length announces.
func (r *blockReader) read(n int) (b []byte, err error) {
	b = r.buf[:0]
	for len(b) < n && err == nil {
		at := len(b)
		b = slices.Grow(b, min(n-at, max(at, 1<<20)))
		b = b[:min(n, cap(b))]
		_, err = io.ReadFull(r.r, b[at:])
	}
	r.buf = b
	return b, err
}

// end returns an error if anything follows the last block.
func (r *blockReader) end() error {
	if _, err := r.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: something follows its end", ErrBadSnapshot)
	}
	return nil
}
