package replication

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// Besides the messages the embedded server keeps the description of a stream (meta.inf, with a checksum in meta.sum)
// and, when it stops and from time to time, an index of the files (index.db, which ends in a checksum). It rebuilds an
// index that it cannot read.

const indexFile = "index.db"

// readIndex returns the position that a stream had reached when its index was written; false if there is no readable
// index.
func (f *folder) readIndex(id logID) (last uint64, ok bool) {
	b, err := os.ReadFile(filepath.Join(f.messagesDir(id), indexFile))
	n := len(b) - highwayhash.Size64
	if err != nil || n < 2 || !bytes.Equal(streamSum(id, b[:n]), b[n:]) {
		return 0, false
	}
	b = b[2:n] // magic and version
	for range 5 {
		v, n := binary.Uvarint(b) // messages, bytes, first position, its time (zigzag), last position
		if n <= 0 {
			return 0, false
		}
		last, b = v, b[n:]
	}
	return last, true
}

// streamSum returns the server's checksum of what it keeps of a stream besides the messages.
func streamSum(id logID, b []byte) []byte {
	key := sha256.Sum256([]byte(id.stream()))
	h, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		panic("replication: checksum of an index: " + err.Error()) // the key has the right length
	}
	_, _ = h.Write(b) // it never fails
	return h.Sum(nil)
}

// readMeta returns the identity of a stream; false if its description cannot be read.
func (f *folder) readMeta(id logID) (stream string, ok bool) {
	dir := f.streamDir(id)
	b, err := os.ReadFile(filepath.Join(dir, server.JetStreamMetaFile))
	sum, noSum := os.ReadFile(filepath.Join(dir, server.JetStreamMetaFileSum))
	if err != nil || noSum != nil || hex.EncodeToString(streamSum(id, b)) != string(sum) {
		return "", false
	}
	var info server.FileStreamInfo
	if json.Unmarshal(b, &info) != nil || info.Name != id.stream() {
		return "", false
	}
	return info.Metadata[metaIncarnation], true
}

// writeMeta writes the description of a stream, as the server would.
func (f *folder) writeMeta(id logID, stream string) error {
	b, err := json.Marshal(streamConfig(id, stream, Config{}))
	info := server.FileStreamInfo{Created: time.Now().UTC()}
	if err == nil {
		err = json.Unmarshal(b, &info.StreamConfig)
	}
	if err == nil {
		b, err = json.Marshal(info)
	}
	if err != nil {
		return err
	}
	dir := f.streamDir(id)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, server.JetStreamMetaFile), b, 0o640),
		os.WriteFile(filepath.Join(dir, server.JetStreamMetaFileSum), []byte(hex.EncodeToString(streamSum(id, b))), 0o640),
	)
}
