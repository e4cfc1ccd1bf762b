package replication

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/minio/highwayhash"
)

// The embedded server takes off the last file of a stream whatever follows the first message there that it cannot read, and tells nobody. That is right for
// what a kill leaves: one message, cut off, that nobody was told is stored. A damaged byte in the middle would cost all that follows it in the file just so. Hence the
// files are looked at before the server is started.

// checkLastFiles looks at the last file of every log in the server's folder. It returns ErrDamaged for one with a message that cannot be read and others after it; then
// nothing in the folder has changed. What cannot be read at its very end is only reported.
func checkLastFiles(f *folder, logger *slog.Logger) error {
	streams := f.streamsDir()
	dirs, err := os.ReadDir(streams)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range dirs {
		id, ok := streamID(d.Name())
		if !ok {
			continue
		}
		if err := checkLastFile(filepath.Join(streams, d.Name(), "msgs"), id, logger); err != nil {
			return fmt.Errorf("log %v: %w", id, err)
		}
	}
	return nil
}

func checkLastFile(dir string, id logID, logger *slog.Logger) error {
	number, err := lastFile(dir)
	if err != nil || number == 0 {
		return err
	}
	path := filepath.Join(dir, strconv.Itoa(number)+blockSuffix)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := newBlockFile(content, id, number)
	if err != nil {
		return err
	}
	last, end := f.whole()
	if end == len(content) {
		return nil
	}
	if after, ok := f.find(end+1, last); ok {
		if last == 0 {
			last = after - 2 // positions have no gaps, so the one before is what cannot be read
		}
		return fmt.Errorf("%w: position %d cannot be read (byte %d of %s), and position %d can; restore the file, or go on from a backup", ErrDamaged, last+1, end, path, after)
	}
	logger.Warn("log_end_cut", "log", id.String(), "after", last, "bytes", len(content)-end, "file", path)
	return nil
}

const blockSuffix = ".blk"

// lastFile returns the number of the last file with anything in it; 0 if there is none.
func lastFile(dir string) (number int, err error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), blockSuffix)
		n, bad := strconv.Atoi(name)
		if !ok || bad != nil || n <= number {
			continue
		}
		if info, err := f.Info(); err == nil && info.Size() > 0 {
			number = n
		}
	}
	return number, err
}

// blockFile is a file of a stream as the server writes it: one message after the other, each its length (4 bytes, of which a bit tells that it has a header), position (8), time (8) and
// the length of its subject (2), the subject, the length of the header (4) and that, the data, and a checksum (8).
type blockFile struct {
	content []byte
	subject []byte
	hash    *highwayhash.Digest64
}

const (
	blockHead     = 22
	blockTail     = 8
	blockHeader   = 1 << 31 // in the length
	blockPosition = 1<<62 - 1
)

func newBlockFile(content []byte, id logID, number int) (*blockFile, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", id.stream(), number))
	hash, err := highwayhash.NewDigest64(key[:])
	return &blockFile{content: content, subject: []byte(id.subject()), hash: hash}, err
}

// whole returns the position of the last message of those at the beginning that are undamaged, and where they end.
func (f *blockFile) whole() (last uint64, end int) {
	for end < len(f.content) {
		position, n := f.message(end)
		if n == 0 {
			break
		}
		last = max(last, position)
		end += n
	}
	return last, end
}

// find returns the position of the first undamaged message from an offset on that comes after one at a position.
func (f *blockFile) find(from int, after uint64) (position uint64, ok bool) {
	for from+blockHead < len(f.content) {
		at := bytes.Index(f.content[from+blockHead:], f.subject)
		if at < 0 {
			return 0, false
		}
		if position, n := f.message(from + at); n > 0 && position > after {
			return position, true
		}
		from += at + 1
	}
	return 0, false
}

// message returns the position and the length of the message at an offset; length 0 if there is none that is whole and undamaged.
func (f *blockFile) message(at int) (position uint64, n int) {
	b := f.content[at:]
	if len(b) < blockHead+blockTail {
		return 0, 0
	}
	length, subject := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint16(b[20:]))
	n = int(length &^ blockHeader)
	data := blockHead + subject
	if length&blockHeader != 0 {
		data += 4
	}
	if n > len(b) || data > n-blockTail {
		return 0, 0
	}
	f.hash.Reset()
	for _, part := range [][]byte{b[4:20], b[blockHead : blockHead+subject], b[data : n-blockTail]} {
		_, _ = f.hash.Write(part) // it never fails
	}
	if !bytes.Equal(f.hash.Sum(nil), b[n-blockTail:n]) {
		return 0, 0
	}
	return binary.LittleEndian.Uint64(b[4:]) & blockPosition, n
}
