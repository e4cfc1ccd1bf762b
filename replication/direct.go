//go:build !nolink

package replication

import (
	"errors"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

//go:linkname processMessage github.com/nats-io/nats-server/v2/server.(*stream).processJetStreamMsg
func processMessage(
	stream unsafe.Pointer, subject, reply string, header, msg []byte, last uint64, time int64, trace unsafe.Pointer,
	sourced, isolated bool,
) error

//go:linkname streamLast github.com/nats-io/nats-server/v2/server.(*stream).lastSeq
func streamLast(stream unsafe.Pointer) uint64

// direct stores messages in a stream without replicas with the call that the server itself uses for published messages.
// A published message passes through five goroutines on its way there and back, this one through none.
type direct struct {
	stream  unsafe.Pointer // nil: no stream
	subject string
	header  []byte // scratch
}

// newDirect returns a direct for the stream of a log. It stores nothing once that stream or server stops.
func newDirect(s *server.Server, id logID) direct {
	return direct{stream: localStream(s, id.stream()), subject: id.subject()}
}

var errNoStream = errors.New("no stream")

// store stores msg at the position after last, and reports whether it did. If it returns an error, it has not, or the
// stream has failed to write and takes nothing more; if it returns false without one, it may have. It blocks while the
// disk does. It does not keep msg.
func (d *direct) store(msg []byte, last uint64) (bool, error) {
	if d.stream == nil {
		return false, errNoStream
	}
	d.header = appendHeader(d.header[:0], last)
	if err := processMessage(d.stream, d.subject, "", d.header, msg, 0, 0, nil, false, true); err != nil {
		return false, err
	}
	// A stream that is being stopped stores nothing, and returns no error.
	return streamLast(d.stream) == last+1, nil
}
