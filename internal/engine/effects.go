package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Effects are the consequences of a step besides its result. The owner of the engine carries them out, in this order,
// and shows none of them to any caller before the log has the step's LSN.
type Effects struct {
	// Granted are the waiting calls that were served, or whose wait has ended otherwise.
	Granted []*Waiter
	// Events are the events caused by the step.
	Events []call.Event
	// Ended are the registrations that were ended, or found expired. They get no more events.
	Ended []uint64
	// Lost are the transactions that began here and ended although their holders did not ask for it.
	Lost []Loss
	// Dissolved are the aborted transactions with branches elsewhere: the branches must be aborted too.
	Dissolved []Decision
	// Doomed are the transactions of other spaces whose branches here were aborted: their homes must abort them.
	Doomed []txn.ID
	// Audit reports that a replica is to compare its state with that of the primary, as it is now.
	Audit bool
	// Checksums are those of the primary's states.
	Checksums []Checked
}

// Checked is the checksum of the primary's state at a position of the log.
type Checked struct{ Position, Sum uint64 }

// Reset clears the effects, after they were carried out.
func (f *Effects) Reset() {
	clear(f.Granted)
	f.Granted, f.Events, f.Ended = f.Granted[:0], f.Events[:0], f.Ended[:0]
	f.Lost, f.Dissolved, f.Doomed = f.Lost[:0], f.Dissolved[:0], f.Doomed[:0]
	f.Audit, f.Checksums = false, f.Checksums[:0]
}
