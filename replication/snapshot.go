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
	"time"
)

// A snapshot file is a magic line, a header, and blocks of records: each is its size (4 bytes), a checksum (4 bytes, over the number of the
// block and what follows) and the bytes. The header, in JSON, is block 0. A block without bytes is the last.

// snapshotMagic begins the file; the digit is the version of the format.
const snapshotMagic = "gospaces snapshot 1\n"

// SnapshotHeader says what a snapshot is of.
type SnapshotHeader struct {
	Space       string    `json:"space"`
	Partition   int       `json:"partition"`
	Incarnation string    `json:"incarnation"`
	Position    uint64    `json:"position"` // of the last group of the log that the state includes
	Claims      []uint64  `json:"claims"`   // positions up to there at which epochs began
	Created     time.Time `json:"created"`
}

// ErrBadSnapshot is returned for a file that is no whole snapshot, or was damaged.
var ErrBadSnapshot = errors.New("replication: bad snapshot")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot is a snapshot that is being written. It is put in its place as a whole by Commit, or not at all. It must not be used concurrently.
type Snapshot struct {
	log    *Log
	header SnapshotHeader
	file   *os.File
	w      *bufio.Writer
	blocks uint64
	size   int64
}

// Snapshot begins a snapshot of the state that the log makes up to a position. Commit or Abort must follow.
func (l *Log) Snapshot(position uint64) (*Snapshot, error) {
	dir := l.SnapshotDir()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	f, err := os.CreateTemp(dir, ".snapshot-*")
	if err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	s := &Snapshot{log: l, file: f, w: bufio.NewWriterSize(f, 1<<20), header: SnapshotHeader{
		Space: l.id.space, Partition: l.id.partition, Incarnation: l.incarnation,
		Position: position, Claims: l.claimsUpTo(position), Created: time.Now().UTC(),
	}}
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

// Commit puts the snapshot in its place, durably, and removes those before the last one.
func (s *Snapshot) Commit() error {
	err := s.Write(nil)
	err = errors.Join(err, s.w.Flush(), s.file.Sync(), s.file.Close())
	if err == nil {
		err = os.Rename(s.file.Name(), s.log.snapshotPath(s.header.Position))
	}
	if err != nil {
		_ = os.Remove(s.file.Name())
		return fmt.Errorf("replication: snapshot of log %v: %w", s.log.id, err)
	}
	if err := syncDir(s.log.SnapshotDir()); err != nil {
		return fmt.Errorf("replication: snapshot of log %v: %w", s.log.id, err)
	}
	return s.log.removeOldSnapshots()
}

// Abort removes what was written.
func (s *Snapshot) Abort() error {
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// Size returns the bytes written so far.
func (s *Snapshot) Size() int64 { return s.size }

// ReadSnapshot reads a snapshot file and calls fn, if that is not nil, for the records of each block. It returns ErrBadSnapshot, with the place, if
// anything in it is not as it was written; fn may have been called before. The records are valid only during fn.
func ReadSnapshot(path string, fn func(records []byte) error) (SnapshotHeader, error) {
	var h SnapshotHeader
	f, err := os.Open(path)
	if err != nil {
		return h, fmt.Errorf("replication: %w", err)
	}
	defer f.Close()
	r := blockReader{r: bufio.NewReaderSize(f, 1<<20)}
	header, err := r.begin()
	if err == nil && json.Unmarshal(header, &h) != nil {
		err = errors.New("its header is not readable")
	}
	for err == nil {
		var b []byte
		b, err = r.next()
		switch {
		case err != nil:
		case len(b) == 0:
			return h, r.end()
		case fn != nil:
			if err := fn(b); err != nil {
				return h, err
			}
		}
	}
	return h, fmt.Errorf("%w: %s: %w", ErrBadSnapshot, filepath.Base(path), err)
}

// blockReader reads the blocks of a snapshot file.
type blockReader struct {
	r      *bufio.Reader
	blocks uint64
	buf    []byte
}

// begin reads the magic and returns the header.
func (r *blockReader) begin() ([]byte, error) {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(r.r, magic); err != nil || string(magic[:len(magic)-2]) != snapshotMagic[:len(magic)-2] {
		return nil, errors.New("it is not a snapshot")
	}
	if string(magic) != snapshotMagic {
		return nil, fmt.Errorf("it has format %q, which this program does not read", magic[len(magic)-2])
	}
	return r.next()
}

// maxBlock is more than any block has: a damaged length must not make anybody allocate.
const maxBlock = 1 << 30

// next returns the next block, which is valid until the one after it.
func (r *blockReader) next() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, fmt.Errorf("block %d is cut off", r.blocks)
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n > maxBlock {
		return nil, fmt.Errorf("block %d is damaged", r.blocks)
	}
	if int(n) > cap(r.buf) {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, fmt.Errorf("block %d is cut off", r.blocks)
	}
	if blockSum(r.blocks, b) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("block %d is damaged", r.blocks)
	}
	r.blocks++
	return b, nil
}

// end returns an error if something follows the last block.
func (r *blockReader) end() error {
	if _, err := r.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: something follows its end", ErrBadSnapshot)
	}
	return nil
}
