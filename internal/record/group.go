package record

import (
	"encoding/binary"
	"fmt"
)

// Type is the type of a log message. The numbers are part of the log format: append only.
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

// Clock is the time of a primary when it made a message, in nanoseconds since the Unix epoch. Leases are measured by
// the time of the space; the wall clock tells a later reader when that was. The zero value means unknown.
type Clock struct {
	Space int64 `json:"space"`
	Wall  int64 `json:"wall"`
}

// Header begins every log message: version, type, the epoch of the primary that wrote it (0 for a Claim), and its
// clock.
type Header struct {
	Type  Type
	Epoch uint64
	Clock Clock
}

// HeaderSize is the size of a header in bytes.
const HeaderSize = clockAt + 16

// clockAt is the offset of the clock in a header.
const clockAt = 10

// AppendHeader appends h to a new message.
func AppendHeader(dst []byte, h Header) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, version, byte(h.Type)), h.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Space))
	return binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Wall))
}

// SetClock sets the clock in the header of msg; the rest of the header may not be set yet.
func SetClock(msg []byte, c Clock) {
	binary.LittleEndian.PutUint64(msg[clockAt:], uint64(c.Space))
	binary.LittleEndian.PutUint64(msg[clockAt+8:], uint64(c.Wall))
}

// ClockOf returns the clock in the header of msg.
func ClockOf(msg []byte) Clock {
	return Clock{
		Space: int64(binary.LittleEndian.Uint64(msg[clockAt:])), Wall: int64(binary.LittleEndian.Uint64(msg[clockAt+8:])),
	}
}

// Split returns the header of a log message and the bytes after it: records for a Commit; for a Claim and a Resign,
// data of package replication. It returns ErrCorrupt if the message is too short, or of an unknown version or type.
func Split(msg []byte) (Header, []byte, error) {
	if len(msg) < HeaderSize {
		return Header{}, nil, fmt.Errorf("%w: message of %d bytes", ErrCorrupt, len(msg))
	}
	h := Header{Type: Type(msg[1]), Epoch: binary.LittleEndian.Uint64(msg[2:]), Clock: ClockOf(msg)}
	if msg[0] != version {
		return h, nil, fmt.Errorf("%w: message version %d; this program reads version %d: a newer one has written it",
			ErrCorrupt, msg[0], version)
	}
	if h.Type < Claim || h.Type > Resign {
		return h, nil, fmt.Errorf("%w: message type %d", ErrCorrupt, h.Type)
	}
	return h, msg[HeaderSize:], nil
}

// Group is the records of one log message, for readers of the log.
type Group struct {
	Position uint64 // of the message in the log; it rises
	Time     int64  // when the log stored the message, in nanoseconds since the Unix epoch
	Clock    Clock  // of its primary; zero if the message has no effect
	Claimed  bool   // another primary begins here; it has no other effect, but for what the log may have lost
	Resigned bool   // its primary has resigned: the log has none until the next claim
	Records  []byte // decode with Next until empty; valid only during the call
}
