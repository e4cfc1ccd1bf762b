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

// Clock is what the clocks of a primary showed when it made a message, in nanoseconds since the Unix epoch. Leases count
// by the time of the space. The wall clock tells how long ago that was to a reader that was not there. The zero value
// tells nothing.
type Clock struct {
	Space int64 `json:"space"`
	Wall  int64 `json:"wall"`
}

// Header begins every log message: version, type, the epoch of the primary that wrote it (0 for a Claim), and its clock.
type Header struct {
	Type  Type
	Epoch uint64
	Clock Clock
}

// HeaderSize is the number of bytes that AppendHeader appends.
const HeaderSize = clockAt + 16

// clockAt is where in a header the clock is.
const clockAt = 10

// AppendHeader appends h to a message under construction.
func AppendHeader(dst []byte, h Header) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, version, byte(h.Type)), h.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Space))
	return binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Wall))
}

// SetClock writes c into the header of msg, which may have no other part of its header yet.
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

// Split returns the header of a log message and what follows it: records for a Commit; for a Claim
// and a Resign, what it means to package replication.
// It returns ErrCorrupt if the message is too short or of a version or type that this program does not know.
func Split(msg []byte) (Header, []byte, error) {
	if len(msg) < HeaderSize {
		return Header{}, nil, fmt.Errorf("%w: message of %d bytes", ErrCorrupt, len(msg))
	}
	h := Header{Type: Type(msg[1]), Epoch: binary.LittleEndian.Uint64(msg[2:]), Clock: ClockOf(msg)}
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
	Clock    Clock  // of its primary; zero if the message does not count
	Records  []byte // decode with Next until empty; valid only while it is handed over
}
