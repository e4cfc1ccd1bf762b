package writeback

import "time"

// Stats is a snapshot of the work and the lag of a Writer.
type Stats struct {
	Connected bool   // the last request to the database succeeded
	Position  uint64 // of the last group of the log in the database; 0 until the database was first reached

	LagGroups  uint64        // groups of the log that are not in the database
	LagRecords uint64        // approximate number of records in them
	LagBytes   int64         // their size in the log, within a few hundred KiB
	LagAge     time.Duration // age of the oldest of them; a lower bound until the database is first reached

	BufferedRecords int // records read from the log and not yet in the database
	BufferedBytes   int

	RowsWritten uint64 // rows added to tables
	RowsDeleted uint64
	RowsRenewed uint64 // rows whose expiry changed
	RowsRefused uint64 // refused rows, which became dead letters
	Coalesced   uint64 // records that cancelled each other out before they reached the database
	Commits     uint64 // batches
	Lanes       int    // connections used for the last of these
	Failures    uint64 // attempts that failed

	DeadLetters int      // existing; others may have dropped some in the last seconds
	Incomplete  []string // tables that lack rows from before Position, because their content cannot be determined

	Waiting bool     // for a connection: all connections of the pool are in use
	Blocked *Blocker // the database session that the mirror waits for, if known

	LastError   error // of the last attempt; nil after a success
	LastErrorAt time.Time
	Stopped     bool // Run has returned: because of LastError, or because its context ended
}

// Stats returns a snapshot.
func (w *Writer) Stats() Stats {
	return w.status.snapshot(time.Now())
}

// Needs returns the position from which the writer still needs the log, as far as it knows: 1 until the database was
// first reached. If the source is an Imager, a shorter log is no loss, unless filling is set: the writer is then about
// to read on from there.
func (w *Writer) Needs() (position uint64, filling bool) { return w.status.needs() }
