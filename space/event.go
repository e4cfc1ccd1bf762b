package space

import (
	"context"
	"fmt"
	"strings"
)

// EventType is what happened. What happens to an entry at one moment is one event for a registration: if it is of
// several requested types, the event has the first of them in this order.
type EventType uint8

const (
	// Written: the entry became visible by being written.
	Written EventType = 1
	// Gap means that events are missing here, or may be; Cause is the reason. It need not be requested. To know which
	// entries exist, read them.
	Gap EventType = 2
	// Taken: the entry was taken, for good.
	Taken EventType = 3
	// Expired: the entry's lease ran out.
	Expired EventType = 4
	// Cancelled: the entry's lease was cancelled.
	Cancelled EventType = 5
	// Renewed: the entry's lease was renewed.
	Renewed EventType = 6
	// Updated: the entry's fields were changed. Those that it has now match.
	Updated EventType = 7
	// Visible: the entry became visible: it was written, or put back by the end of a transaction or after a delay.
	Visible EventType = 8
	// Available: the entry can be taken and could not before: it became visible, or is no longer read-locked.
	Available EventType = 9
)

var eventNames = [...]string{
	Written: "written", Gap: "gap", Taken: "taken", Expired: "expired", Cancelled: "cancelled", Renewed: "renewed",
	Updated: "updated", Visible: "visible", Available: "available",
}

// String returns the type's name in lower case.
func (t EventType) String() string {
	if int(t) < len(eventNames) && eventNames[t] != "" {
		return eventNames[t]
	}
	return fmt.Sprintf("EventType(%d)", uint8(t))
}

// GapCause is the reason for a Gap.
type GapCause uint8

const (
	// GapRestart: the server was restarted, or had to read its state from the log again. Registrations for Visible and
	// Available get this gap every time: entries that open transactions had locked are visible again, and the log does
	// not know them all. It has a number of its own, and Missed is 0: no event of another number is lost.
	GapRestart GapCause = 1
	// GapOverflow: the listener was too slow. The space keeps a bounded number of events in memory, and has no log that
	// holds the others; none holds those of registrations under a transaction.
	GapOverflow GapCause = 2
	// GapPurged: the listener was too slow, or away for too long, and the log of the space no longer has the events. How
	// much of it is kept for listeners is the server's setting --event-log.
	GapPurged GapCause = 3
	// GapEnded: the registration ended while its listener had no connection, so the events before its end are lost.
	GapEnded GapCause = 4
)

var gapNames = [...]string{
	GapRestart: "restart", GapOverflow: "overflow", GapPurged: "purged", GapEnded: "ended",
}

// String returns the cause's name in lower case.
func (c GapCause) String() string {
	if int(c) < len(gapNames) && gapNames[c] != "" {
		return gapNames[c]
	}
	return fmt.Sprintf("GapCause(%d)", uint8(c))
}

// asked reports whether events of the type can be requested.
func (t EventType) asked() bool { return int(t) < len(eventNames) && eventNames[t] != "" && t != Gap }

// ParseEventType returns the type with a name; ErrInvalidArgument for a name of none that can be asked for.
func ParseEventType(name string) (EventType, error) {
	var names []string
	for i, n := range eventNames {
		if t := EventType(i); t.asked() {
			if n == name {
				return t, nil
			}
			names = append(names, n)
		}
	}
	return 0, invalid("no event is called %q; there are %s", name, strings.Join(names, ", "))
}

// EventSet is a set of event types.
type EventSet uint16

// EventTypes returns the set of the given types.
func EventTypes(types ...EventType) EventSet {
	var s EventSet
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

// Has reports whether t is in the set.
func (s EventSet) Has(t EventType) bool { return s&(1<<t) != 0 }

// Event is one change that a registration asked for.
type Event struct {
	Type  EventType
	Seq   uint64 // consecutive per registration, from Registration.Start()+1
	Entry Entry  // not for Gap; as it was at that moment

	Cause  GapCause // Gap only: its cause
	Missed uint64   // Gap only: how many events are lost, those numbered Seq-Missed+1 to Seq; 0 with GapRestart
}

// Registration is a stream of events. Its methods may be called concurrently.
type Registration interface {
	// Lease bounds the registration.
	Lease() *Lease
	// Start is the number before that of the first event.
	Start() uint64
	// Next waits for the next event: in order, each once, with a Gap event for those that are lost or may be. It returns
	// ctx's error when ctx ends, ErrLeaseEnded after the last event of a registration that has ended, ErrClosed after
	// Close, and ErrDisplaced when another session has attached to the registration. A registration under a transaction
	// ends with it.
	Next(ctx context.Context) (Event, error)
	// Close cancels the registration's lease and ends Next. It is idempotent.
	Close() error
}
