package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
)

// Type is the type of a frame. The numbers are part of the protocol: append only.
type Type uint8

// Frames that either side sends, or only the client. Those from Echo on are calls: they have a call number chosen by
// the client, and end with an Answer or a Failure of the same number.
const (
	Hello   Type = 1 // begins a connection
	Ping    Type = 2 // asks for a Pong
	Ack     Type = 3 // the position up to which the other side's stream was received
	Goodbye Type = 4 // ends the session: nothing will be resumed

	Echo          = Type(16)
	Open          = Type(17)
	Register      = Type(call.OpRegister)
	Schema        = Type(call.OpSchema)
	Write         = Type(call.OpWrite)
	Find          = Type(call.OpFind)
	CancelWait    = Type(22) // no answer of its own: it ends the Find or Count of the same number
	Count         = Type(call.OpCount)
	Contents      = Type(call.OpContents)
	Notify        = Type(call.OpNotify)
	Attach        = Type(call.OpAttach)
	Acknowledge   = Type(call.OpAcknowledge) // no answer
	Renew         = Type(call.OpRenew)
	Cancel        = Type(call.OpCancel)
	Kinds         = Type(call.OpKinds)
	Spaces        = Type(31)
	Status        = Type(32)
	BeginTxn      = Type(call.OpBeginTxn)
	Commit        = Type(call.OpCommit)
	Abort         = Type(call.OpAbort)
	Rollback      = Type(call.OpRollback)
	Defer         = Type(call.OpDefer)
	Update        = Type(call.OpUpdate)
	Repeat        = Type(39) // another call, made again
	Outcome       = Type(call.OpOutcome)
	Drop          = Type(call.OpDrop) // a kind
	Registrations = Type(call.OpRegistrations)
	Snapshot      = Type(call.OpSnapshot)
	Release       = Type(call.OpRelease)
	Fetch         = Type(45)
	Backup        = Type(46)
	EndBackup     = Type(47)
	CreateSpace   = Type(48)
	DropSpace     = Type(49)
	Manage        = Type(51)
	Topology      = Type(53)
)

// Frames that the server sends.
const (
	Welcome Type = 64 // answers Hello
	Refused Type = 65 // ends a connection with the reason
	Pong    Type = 66
	Goaway  Type = 67 // the server shuts down: send no more calls

	Answer    Type = 68 // ends a call
	Part      Type = 69 // the beginning of an Answer too long for one frame
	Failure   Type = 70 // ends a call with an error
	Kind      Type = 71 // number and schema of a kind, before the first entry of it
	Event     Type = 72 // an event of a registration
	Ended     Type = 73 // a registration has no more events
	TxnLost   Type = 74 // a transaction that the client began has ended by another cause
	Reset     Type = 75 // a space is no longer open under its handle, since its log has failed: open it again
	Displaced Type = 76 // events of a registration now go to another session
)

// ErrMalformed is returned for bytes that violate the protocol.
var ErrMalformed = errors.New("wire: malformed frame")

// lengthSize is the size of the length before each frame: a little-endian uint32 that does not count itself.
const lengthSize = 4

// Frame is one decoded frame. ID is the number of the call, or of whatever the type says; 0 if there is none.
type Frame struct {
	Type Type
	ID   uint64
	Body []byte // aliases the input
}

// Begin appends the start of a frame: the body follows, then End.
func Begin(dst []byte, t Type, id uint64) []byte {
	return binary.AppendUvarint(append(dst, 0, 0, 0, 0, byte(t)), id)
}

// End completes the frame that begins at dst[start:], by its length.
func End(dst []byte, start int) []byte {
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-lengthSize))
	return dst
}

// AppendFrame appends a frame with the given body.
func AppendFrame(dst []byte, t Type, id uint64, body []byte) []byte {
	start := len(dst)
	return End(append(Begin(dst, t, id), body...), start)
}

// Next decodes the frame at the start of b. It returns the size of the frame in bytes, or 0 if b does not have all of
// it; need is then its size as far as known. A frame longer than limit, or without type and number, is ErrMalformed.
func Next(b []byte, limit int) (f Frame, size, need int, err error) {
	if len(b) < lengthSize {
		return f, 0, lengthSize, nil
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(limit) {
		return f, 0, 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, n, limit)
	}
	size = lengthSize + int(n)
	if len(b) < size {
		return f, 0, size, nil
	}
	if n < 2 {
		return f, 0, 0, fmt.Errorf("%w: %d bytes", ErrMalformed, n)
	}
	id, w := uvarint(b[lengthSize+1 : size])
	if w <= 0 || id > MaxCall {
		return f, 0, 0, fmt.Errorf("%w: bad number", ErrMalformed)
	}
	return Frame{Type(b[lengthSize]), id, b[lengthSize+1+w : size : size]}, size, size, nil
}

// uvarint is binary.Uvarint with a fast path for one byte.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}
