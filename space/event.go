package space

import "context"

// EventType says what happened.
type EventType uint8

const (
	// Written: the entry became visible by being written.
	Written EventType = 1
	// Gap: events from Seq-Missed+1 to Seq were not kept for this listener; they are lost to it.
	Gap EventType = 2
)

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

// Event tells of one change that a registration asked about.
type Event struct {
	Type   EventType
	Seq    uint64 // dense and rising per registration, from Registration.Start()+1
	Entry  Entry  // not for Gap
	Missed uint64 // Gap only: how many events are lost
}

// Registration is a stream of events. Its methods may be called concurrently.
type Registration interface {
	// Lease bounds the registration.
	Lease() *Lease
	// Start is the number before the first event's.
	Start() uint64
	// Next waits for the next event: in order, each once, with a Gap event for those that were not kept. It returns ctx's
	// error when ctx ends, ErrLeaseEnded after the last event of a registration that has ended, ErrClosed after Close.
	Next(ctx context.Context) (Event, error)
	// Close cancels the registration's lease and ends Next. It is idempotent.
	Close() error
}
