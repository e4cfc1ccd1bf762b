package writeback

import "time"

// Stats is a snapshot of what a Writer has done and how far it is behind.
type Stats struct {
	Connected bool   // the database took the last thing that it was asked
	Position  uint64 // of the last group of the log that is in the database; 0 until the database was first reached

	LagGroups  uint64        // groups of the log that are not in the database
	LagRecords uint64        // records in them, about
	LagBytes   int64         // bytes of them in the log, to within a few hundred KiB
	LagAge     time.Duration // age of the oldest of them; it may be older while the database was never reached

	BufferedRecords int // records read from the log and not yet in the database
	BufferedBytes   int

	RowsWritten uint64 // rows added to tables
	RowsDeleted uint64
	RowsRenewed uint64 // rows that got another expiry
	RowsRefused uint64 // rows that the database refused, which became dead letters
	Coalesced   uint64 // records that cancelled each other out before they reached the database
	Commits     uint64 // batches
	Lanes       int    // connections over which the last of them was written
	Failures    uint64 // attempts that failed

	DeadLetters int      // that there are; others may have dropped some in the last seconds
	Incomplete  []string // tables that lack rows from before Position, because nothing tells what they held

	Waiting bool     // for a connection: all that the pool may have are in use
	Blocked *Blocker // the session of the database that the mirror waits for, if it has to and that is known

	LastError   error // why the last attempt failed; nil once the database has taken something since
	LastErrorAt time.Time
	Stopped     bool // Run has returned: because of LastError, or because it was told to
}

// Stats returns a snapshot.
func (w *Writer) Stats() Stats {
	return w.status.snapshot(time.Now())
}

// Needs returns the position from which the writer still needs the log, as far as it knows: 1 until the database was
// first reached. If the log can show the space (Imager), what it loses is made up for, unless filling: then the writer
// is about to read on from there.
func (w *Writer) Needs() (position uint64, filling bool) { return w.status.needs() }
