package replication

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/highwayhash"
)

// blockFile is a file of a stream as the embedded server writes it: one record after the other. A record is its length
// (4 bytes, one bit of which says that it has a header), position (8), time (8), length of the subject (2), subject,
// length of the header (4), header, data, and a checksum (8). A record with a certain bit in its position is no
// message: it says that the message at that position was removed, or that the log has reached it.
type blockFile struct {
	number  int
	content []byte
	subject []byte
	hash    *highwayhash.Digest64
	effort  int // bytes that may still be checksummed: something that looks like a record may be a client's data
}

const (
	blockSuffix = ".blk"

	blockHead     = 22
	blockTail     = 8
	blockHeader   = 1 << 31 // in the length
	blockPosition = 1<<62 - 1

	// maxRecord is larger than any record: a message, a header and a subject.
	maxRecord = MaxMessage + 128<<10
	// maxFile is larger than any file: the server begins a new one after 8 MiB. Bytes beyond it are ignored.
	maxFile = 64 << 20
	// maxEffort bounds the search of a damaged file to about a second.
	maxEffort = 64 * maxFile
)

// blockNumbers returns the numbers of the files that are not empty, rising.
func blockNumbers(dir string) (numbers []int, err error) {
	return numbersOf(dir, func(f fs.DirEntry) bool {
		info, err := f.Info()
		return err == nil && info.Size() > 0
	})
}

// numbersOf returns the numbers of the files that admit returns true for, rising.
func numbersOf(dir string, admit func(fs.DirEntry) bool) (numbers []int, err error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), blockSuffix)
		n, bad := strconv.Atoi(name)
		if ok && bad == nil && admit(f) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// lastFile returns the number of the last file that is not empty; 0 if there is none.
func lastFile(dir string) (number int, err error) {
	numbers, err := blockNumbers(dir)
	if len(numbers) > 0 {
		number = numbers[len(numbers)-1]
	}
	return number, err
}

// newestFile returns the number of the last file, even if empty; 0 if there is none.
func newestFile(dir string) (number int, err error) {
	numbers, err := numbersOf(dir, func(fs.DirEntry) bool { return true })
	if len(numbers) > 0 {
		number = numbers[len(numbers)-1]
	}
	return number, err
}

func blockPath(dir string, number int) string {
	return filepath.Join(dir, strconv.Itoa(number)+blockSuffix)
}

// readBlock reads a file of a stream.
func readBlock(dir string, id logID, number int) (*blockFile, error) {
	f, err := os.Open(blockPath(dir, number))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	content := make([]byte, min(info.Size(), maxFile))
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, err
	}
	return newBlockFile(content, id, number)
}

func newBlockFile(content []byte, id logID, number int) (*blockFile, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", id.stream(), number))
	hash, err := highwayhash.NewDigest64(key[:])
	f := &blockFile{number: number, content: content, subject: []byte(id.subject()), hash: hash, effort: maxEffort}
	return f, err
}

// blockRecord is one record of a file.
type blockRecord struct {
	position uint64
	follows  uint64 // the position before it in its log
	message  bool   // otherwise it is a note of the server about the position
	size     int    // bytes
}

// record returns the record at an offset; false if there is no complete and undamaged record.
func (f *blockFile) record(at int) (r blockRecord, ok bool) {
	b := f.content[at:]
	if len(b) < blockHead+blockTail {
		return r, false
	}
	length := binary.LittleEndian.Uint32(b)
	size := int(length &^ blockHeader)
	if size > len(b) || size > maxRecord || !f.sound(b, size, length&blockHeader != 0) {
		return r, false
	}
	number := binary.LittleEndian.Uint64(b[4:])
	r = blockRecord{position: number & blockPosition, size: size, message: number != 0 && number <= blockPosition}
	r.follows = r.position - 1
	if !r.message {
		return r, true
	}
	data, ok := f.data(b[:size-blockTail], length&blockHeader != 0)
	if follows, claim := claimFollows(data); claim && follows < r.position {
		r.follows = follows
	}
	return r, ok
}

// note returns a record that tells the server that the log has reached a position.
func (f *blockFile) note(position uint64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, blockHead+blockTail)
	b = binary.LittleEndian.AppendUint64(b, position|1<<62)
	b = binary.LittleEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	b = binary.LittleEndian.AppendUint16(b, 0)
	f.hash.Reset()
	_, _ = f.hash.Write(b[4:20]) // it never fails
	return f.hash.Sum(b)
}

// sound reports whether the checksum of the record at the start of b is right, if the record has size bytes.
func (f *blockFile) sound(b []byte, size int, header bool) bool {
	subject := int(binary.LittleEndian.Uint16(b[20:]))
	data := blockHead + subject
	if header {
		data += 4
	}
	if data > size-blockTail {
		return false
	}
	f.effort -= size
	f.hash.Reset()
	for _, part := range [][]byte{b[4:20], b[blockHead : blockHead+subject], b[data : size-blockTail]} {
		_, _ = f.hash.Write(part) // it never fails
	}
	return bytes.Equal(f.hash.Sum(nil), b[size-blockTail:size])
}

// data returns the content of a message. It returns false if the message does not belong to this log, or its header is
// malformed: no checksum covers the length of a header.
func (f *blockFile) data(b []byte, header bool) ([]byte, bool) {
	n := int(binary.LittleEndian.Uint16(b[20:]))
	rest := b[blockHead:]
	if n != len(f.subject) || !bytes.HasPrefix(rest, f.subject) {
		return nil, false
	}
	if rest = rest[n:]; !header {
		return rest, true
	}
	n, rest = int(binary.LittleEndian.Uint32(rest)), rest[4:]
	begin, end := []byte(headerBegin), []byte("\r\n"+headerEnd)
	if n > len(rest) || !bytes.HasPrefix(rest, begin) || !bytes.HasSuffix(rest[:n], end) {
		return nil, false
	}
	return rest[n:], true
}

// find returns the first undamaged record from an offset on, and its offset: the end of the file if there is none.
func (f *blockFile) find(from int) (r blockRecord, at int) {
	note := []byte{blockHead + blockTail, 0, 0, 0} // what a record begins with that is no message
	for at = from; f.effort > 0; at++ {
		if at = f.next(at, note); at == len(f.content) {
			break
		}
		if r, ok := f.record(at); ok {
			return r, at
		}
	}
	return blockRecord{}, len(f.content)
}

// next returns the next offset at which there may be a record.
func (f *blockFile) next(from int, note []byte) int {
	at := len(f.content)
	if i := bytes.Index(f.content[min(from+blockHead, at):], f.subject); i >= 0 {
		at = from + i
	}
	if i := bytes.Index(f.content[min(from, at):at], note); i >= 0 {
		at = from + i
	}
	return at
}

// cutOff reports whether the bytes from an offset to the end are what a kill or a power loss leaves of a record that
// was being written: its beginning, perhaps followed by zeros. Such a record was never acknowledged. Anything else was
// complete once.
func (f *blockFile) cutOff(at int, last uint64) bool {
	const unwritten = 64 // this many zeros at the end are not a checksum
	b := f.content[at:]
	left := bytes.TrimRight(b, "\x00")
	if len(left) > 0 && len(b)-len(left) < unwritten {
		left = b
	}
	if len(left) < 4 {
		return true
	}
	length := binary.LittleEndian.Uint32(left)
	size, header := int(length&^blockHeader), length&blockHeader != 0
	if size < blockHead+blockTail || size > maxRecord || len(left) >= size || f.effort <= 0 {
		return false
	}
	if len(b) >= blockHead+blockTail && (f.sound(b, len(b), header) || f.sound(b, len(b), !header)) {
		return false // only its length is damaged
	}
	if len(left) < blockHead {
		return true
	}
	if !header && size == blockHead+blockTail {
		return binary.LittleEndian.Uint16(left[20:]) == 0
	}
	position, n := binary.LittleEndian.Uint64(left[4:]), int(binary.LittleEndian.Uint16(left[20:]))
	subject := left[blockHead:min(len(left), blockHead+len(f.subject))]
	return position > last && position <= blockPosition && n == len(f.subject) && bytes.HasPrefix(f.subject, subject)
}
