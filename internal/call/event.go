package call

import "math/bits"

// EventType says what happened to an entry. The numbers are on the wire and in logs on disk; they are append only.
type EventType uint8

// The types of events. When something is of several types it is an event of the one with the lowest number that was
// asked for. So they are numbered by how much they say: what was written is visible now, and what is visible now is
// available.
const (
	Written   EventType = 1 // it became visible by being written
	Gap       EventType = 2 // not of an entry: the events up to its number are lost to the listener
	Taken     EventType = 3 // it was taken, for good
	Expired   EventType = 4 // its lease ran out
	Cancelled EventType = 5 // its lease was cancelled
	Renewed   EventType = 6 // its lease was renewed
	Updated   EventType = 7 // its fields were changed; the event carries the new ones
	Visible   EventType = 8 // it turned from invisible to visible: written or put back
	Available EventType = 9 // it turned from not takeable to takeable: written, put back, or no longer read-locked
)

// EventSet is a set of event types, as bits.
type EventSet uint16

// asked is the set of all types that can be asked for.
const asked EventSet = 1<<(Available+1) - 1 - 1<<0 - 1<<Gap

// Events returns the set of the given types.
func Events(types ...EventType) EventSet {
	var s EventSet
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

// Has reports whether t is in the set.
func (s EventSet) Has(t EventType) bool { return s&(1<<t) != 0 }

// Valid reports whether events of all these types can be asked for.
func (s EventSet) Valid() bool { return s&^asked == 0 }

// First returns the first of the types, by number; 0 if there is none.
func (s EventSet) First() EventType {
	if s == 0 {
		return 0
	}
	return EventType(bits.TrailingZeros16(uint16(s)))
}

// Event tells a registration what has happened to an entry.
type Event struct {
	Registration uint64
	Seq          uint64
	Type         EventType
	Entry        View
}

// Watching is what a registration is for.
type Watching struct {
	ID    uint64
	On    EventSet
	Left  int64    // of its lease, in nanoseconds; Forever
	Seq   uint64   // number of its last event
	Kinds []string // of its templates, "" for every kind
}
