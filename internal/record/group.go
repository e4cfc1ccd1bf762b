package record

import (
	"encoding/binary"
	"fmt"
)

// Type is the sort of a log message. The numbers are in logs on disk; they are append only.
type Type uint8

const (
	// Claim makes its writer the primary; the message's position in the log is the epoch.
	Claim Type = 1
	// Commit holds the records of one group commit.
	Commit Type = 2
	// Resign ends the epoch of its writer: the log has no primary until the next Claim.
	Resign Type = 3
)

// version is the first byte of every message.
const version = 1

// Header begins every log message: version, type, and the epoch of the primary that wrote it (0 for a Claim).
type Header struct {
	Type  Type
	Epoch uint64
}

// HeaderSize is the number of bytes that AppendHeader appends.
const HeaderSize = 10

// AppendHeader appends h to a message under construction.
func AppendHeader(dst []byte, h Header) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, version, byte(h.Type)), h.Epoch)
}

// Split returns the header of a log message and what follows it: records for a Commit; for a Claim
// and a Resign, what it means to package replication.
// It returns ErrCorrupt if the message is too short or of a version or type that this program does not know.
func Split(msg []byte) (Header, []byte, error) {
	if len(msg) < HeaderSize {
		return Header{}, nil, fmt.Errorf("%w: message of %d bytes", ErrCorrupt, len(msg))
	}
	h := Header{Type: Type(msg[1]), Epoch: binary.LittleEndian.Uint64(msg[2:])}
	if msg[0] != version {
		return h, nil, fmt.Errorf("%w: message version %d; this program reads version %d: a newer one has written it", ErrCorrupt, msg[0], version)
	}
	if h.Type < Claim || h.Type > Resign {
		return h, nil, fmt.Errorf("%w: message type %d", ErrCorrupt, h.Type)
	}
	return h, msg[HeaderSize:], nil
}

// Group is the records of one log message, as readers of the log get them.
type Group struct {
	Position uint64 // of the message in the log, rising
	Time     int64  // when the log stored it, nanoseconds since the Unix epoch
	Records  []byte // decode with Next until empty; valid only while it is handed over
}
