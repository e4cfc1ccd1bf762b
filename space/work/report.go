package work

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/space"
)

// Report describes what became of a job in the hands of Run.
type Report struct {
	Outcome  Outcome
	Job      space.LeaseID // its entry; 0 for TakeFailed
	Kind     string        // of the entry
	Attempts int           // how often it had failed before
	Err      error         // why it is not done; nil for Done, and for Returned if the handler was not called
	Took     time.Duration // duration of the handler
	Delay    time.Duration // of Retried and TakeFailed: until the next attempt
}

// Outcome is what became of a job.
type Outcome uint8

const (
	// Done: the job's transaction was committed.
	Done Outcome = iota + 1
	// Retried: the handler failed. The job comes back after a delay.
	Retried
	// Dead: the job was given up. A dead letter is in its place.
	Dead
	// Lost: the job's transaction ended, or its commit has an unknown outcome. If it was not committed, the job comes back
	// by itself.
	Lost
	// Returned: the job was given back without a failed attempt, because Run ends (Err is space.ErrTxnEnded if its handler
	// still runs), or because its handler met a conflict, a lock or a deadlock.
	Returned
	// TakeFailed: there is no job. The space could not be asked for jobs; Run asks again.
	TakeFailed

	outcomes = iota + 1
)

// String returns the outcome in a word.
func (o Outcome) String() string {
	names := [outcomes]string{"unknown", "done", "retried", "dead", "lost", "returned", "take failed"}
	if o >= outcomes {
		return fmt.Sprintf("outcome %d", uint8(o))
	}
	return names[o]
}

// Stats counts reports. Its zero value is ready; set Config.Report to its method Add. Several calls of Run may share
// it, and it may be read at any time.
type Stats struct {
	counts [outcomes]atomic.Int64
}

// Add counts r.
func (s *Stats) Add(r Report) {
	if r.Outcome < outcomes {
		s.counts[r.Outcome].Add(1)
	}
}

// Count returns the number of reports with the outcome. Count(Retried)+Count(Dead) is the number of handlers that
// failed.
func (s *Stats) Count(o Outcome) int {
	if o >= outcomes {
		return 0
	}
	return int(s.counts[o].Load())
}
