package call

import "math/bits"

// EventType is what happened to an entry. The numbers are part of the wire protocol and of the log: append only.
type EventType uint8

// The types of events. Something that is of several types causes one event, of the lowest number among the requested
// types. The numbers are in order of significance: an entry that was written is now visible, and one that is now
// visible is available.
const (
	Written   EventType = 1 // written, and visible
	Gap       EventType = 2 // about no entry: events up to its number are lost to the listener, or may be; see GapCause
	Taken     EventType = 3 // taken for good
	Expired   EventType = 4 // its lease ran out
	Cancelled EventType = 5 // its lease was cancelled
	Renewed   EventType = 6 // its lease was renewed
	Updated   EventType = 7 // its fields were changed; the event carries the new ones
	Visible   EventType = 8 // became visible: written or put back
	Available EventType = 9 // became takeable: written, put back, or no longer read-locked
)

// GapCause says why there is a gap. The numbers are on the wire and in logs on disk; they are append only.
type GapCause uint8

// The causes of gaps.
const (
	// GapRestart: the state was read from the log, which does not tell all that open transactions had locked. The gap is
	// an event with a number of its own; no other number is lost.
	GapRestart GapCause = 1
	// GapOverflow: the events are not in memory any more, and there is no log that has them.
	GapOverflow GapCause = 2
	// GapPurged: the log does not have the events any more.
	GapPurged GapCause = 3
	// GapEnded: the registration ended while its listener was away.
	GapEnded GapCause = 4
)

// EventSet is a set of event types, as bits.
type EventSet uint16

// asked is the set of all types that can be requested.
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

// Valid reports whether all types in s can be requested.
func (s EventSet) Valid() bool { return s&^asked == 0 }

// First returns the type in s with the lowest number; 0 if s is empty.
func (s EventSet) First() EventType {
	if s == 0 {
		return 0
	}
	return EventType(bits.TrailingZeros16(uint16(s)))
}

// Event is what a registration is told of an entry.
type Event struct {
	Registration uint64
	Seq          uint64
	Type         EventType
	Cause        GapCause // of a Gap; else 0
	Entry        View     // not of a Gap
}

// Watching describes a registration.
type Watching struct {
	ID    uint64
	On    EventSet
	Left  int64    // nanoseconds left of its lease; Forever
	Seq   uint64   // number of its last event
	Kinds []string // of its templates, "" for every kind
}

// Registration is what there is to say about a registration.
type Registration struct {
	Watching
	Attended bool   // it has a listener
	Unread   uint64 // events that were not acknowledged
}
