package call

import "context"

// LSN numbers the state changes of a partition since it started, from 1. Every outcome carries the LSN that it depends
// on: it may be shown to anyone only once the log has acknowledged that LSN.
type LSN uint64

// Caller takes the outcomes of calls, for a connection with many calls in flight or for one goroutine.
// Its methods never block and never call the partition.
type Caller interface {
	// Reply hands over the outcome of one call, exactly once per call. The partition's lock is held: Reply copies
	// what it needs of r, which belongs to it until it returns. If durable is false the outcome must be kept back
	// until Durable is called with at least lsn.
	Reply(callID uint64, r *Result, lsn LSN, durable bool)

	// Event hands over an event of a registration that was made with this Caller, or to which it is attached; the rules
	// of Reply apply, but the lock is not held for events that come from the log. Their numbers are dense; an event of
	// type Gap stands for those up to its number. Event returns false if it has no room: it then gets no more of the
	// registration's events, and a new Caller may be attached for this one and those that follow.
	Event(ev *Event, lsn LSN, durable bool) bool

	// Durable releases everything that was handed over with an LSN up to lsn. It is called without the lock, at least
	// once after each Reply or Event that was not durable; not always in rising order.
	Durable(lsn LSN)

	// Lost tells that the log has failed: what was handed over and not yet released has an unknown outcome (err wraps
	// ErrOutcomeUnknown) or, if the log has told so, has not happened (ErrUnavailable); and the caller's registrations
	// are detached: attach them again. It may be called more than once for one failure, without the lock.
	Lost(err error)
}

// Ender is a Caller that wants to know when its registrations end.
type Ender interface {
	// Ended tells that no more events of a registration will come: its lease was cancelled or has expired. It comes
	// after the last event, and not to a Caller that had no room for one. The rules of Event apply.
	Ended(registration uint64, lsn LSN, durable bool)
}

// Displacer is a Caller that wants to know when another one takes its place.
type Displacer interface {
	// Displaced tells that the events of a registration go to another Caller from now on. The lock is held.
	Displaced(registration uint64)
}

// Holder is a Caller that wants to know when transactions end that it has not ended.
type Holder interface {
	Caller
	// TxnLost tells that a transaction of the holder's session has ended for a reason, which wraps ErrTxnEnded. The
	// rules of Event apply.
	TxnLost(number uint64, why error, lsn LSN, durable bool)
}

// Rest is what is left of a call when the partition that was asked has done its part: other partitions, or many small
// steps. It blocks until that is done and returns the outcome. The end of ctx interrupts it. nil: nothing is left, and
// the partition replies.
type Rest func(ctx context.Context) Result
