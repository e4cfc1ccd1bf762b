package wire

import (
	"encoding/binary"
	"math"

	"github.com/gospaces/gospaces/internal/call"
)

// AllEvents is the number in an Acknowledge of a client that no longer listens.
const AllEvents = math.MaxUint64

// AppendEventSet appends a set of event types.
func AppendEventSet(dst []byte, on call.EventSet) []byte {
	return binary.AppendUvarint(dst, uint64(on))
}

// EventSet decodes a set of AppendEventSet.
func (d *Decoder) EventSet() call.EventSet { return call.EventSet(d.Len(math.MaxUint16)) }

// AppendEvent appends the body of an Event frame after the handle; of a gap, only its number and cause.
func AppendEvent(dst []byte, ev *call.Event) []byte {
	dst = binary.AppendUvarint(append(dst, byte(ev.Type)), ev.Seq)
	if ev.Type == call.Gap {
		return append(dst, byte(ev.Cause))
	}
	return AppendEntry(dst, &ev.Entry)
}

// Event decodes an event of AppendEvent, without the registration.
func (d *Decoder) Event() call.Event {
	ev := call.Event{Type: call.EventType(d.Byte()), Seq: d.Uvarint()}
	if ev.Type == call.Gap {
		ev.Cause = call.GapCause(d.Byte())
	} else {
		ev.Entry = d.Entry()
	}
	return ev
}
