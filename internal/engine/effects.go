package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Effects are what a step has brought about beside its result. The owner of the engine carries them out, in this order,
// and shows none of it to anyone before the log has the step's LSN.
type Effects struct {
	// Granted are the waiting calls that were served; their waits are over.
	Granted []*Waiter
	// Events are the events that were caused.
	Events []call.Event
	// Ended are the registrations that were ended, or found expired. They get no event any more.
	Ended []uint64
	// Lost are the transactions that began here and have ended though their holders did not ask for it.
	Lost []Loss
	// Dissolved are the transactions with branches elsewhere that were aborted: the branches are to be aborted too.
	Dissolved []Decision
	// Doomed are the transactions of other spaces whose branches here were aborted by themselves: their homes are to
	// abort them.
	Doomed []txn.ID
}

// Reset empties the effects, once they are carried out.
func (f *Effects) Reset() {
	clear(f.Granted)
	f.Granted, f.Events, f.Ended = f.Granted[:0], f.Events[:0], f.Ended[:0]
	f.Lost, f.Dissolved, f.Doomed = f.Lost[:0], f.Dissolved[:0], f.Doomed[:0]
}
