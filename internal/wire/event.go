package wire

import (
	"encoding/binary"
	"math"

	"github.com/gospaces/gospaces/internal/engine"
)

// AllEvents is the number in an Acknowledge of a client that listens no longer.
const AllEvents = math.MaxUint64

// AppendEventSet appends a set of types of events.
func AppendEventSet(dst []byte, on engine.EventSet) []byte {
	return binary.AppendUvarint(dst, uint64(on))
}

// EventSet decodes what AppendEventSet appends.
func (d *Decoder) EventSet() engine.EventSet { return engine.EventSet(d.Len(math.MaxUint16)) }

// AppendEvent appends the body of an Event frame after the handle: of a gap its number alone.
func AppendEvent(dst []byte, ev *engine.Event) []byte {
	dst = binary.AppendUvarint(append(dst, byte(ev.Type)), ev.Seq)
	if ev.Type == engine.Gap {
		return dst
	}
	return AppendEntry(dst, &ev.Entry)
}

// Event decodes what AppendEvent appends. The registration is not part of it.
func (d *Decoder) Event() engine.Event {
	ev := engine.Event{Type: engine.EventType(d.Byte()), Seq: d.Uvarint()}
	if ev.Type != engine.Gap {
		ev.Entry = d.Entry()
	}
	return ev
}
