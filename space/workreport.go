package space

import (
	"fmt"
	"sync/atomic"
	"time"
)

// WorkReport tells what became of a job in the hands of Work.
type WorkReport struct {
	Outcome  JobOutcome
	Job      LeaseID       // its entry; 0 for TakeFailed
	Kind     string        // of the entry
	Attempts int           // how often it had failed before
	Err      error         // why it is not done; nil for JobDone, and for JobReturned if the handler was not called
	Took     time.Duration // by the handler
	Delay    time.Duration // of JobRetried and TakeFailed: until the next attempt
}

// JobOutcome says what became of a job.
type JobOutcome uint8

const (
	JobDone     JobOutcome = iota + 1 // its transaction was committed
	JobRetried                        // its handler failed; it comes back after a delay
	JobDead                           // it was given up; a dead letter is in its place
	JobLost                           // its transaction ended, or it is not known whether it was committed; if not it is back by itself
	JobReturned                       // it was given back because Work ends (ErrTxnEnded if its handler still runs), or because its handler met others: a conflict, a lock, a deadlock
	TakeFailed                        // no job: the space could not be asked for jobs, and will be asked again

	outcomes = iota + 1
)

// String returns the outcome in a word.
func (o JobOutcome) String() string {
	names := [outcomes]string{"unknown", "done", "retried", "dead", "lost", "returned", "take failed"}
	if o >= outcomes {
		return fmt.Sprintf("outcome %d", uint8(o))
	}
	return names[o]
}

// WorkStats counts reports. Its zero value is ready; give its method Add to Report. It may be shared by several Works,
// and read at any time.
type WorkStats struct {
	counts [outcomes]atomic.Int64
}

// Add counts r.
func (s *WorkStats) Add(r WorkReport) {
	if r.Outcome < outcomes {
		s.counts[r.Outcome].Add(1)
	}
}

// Count returns how many reports had the outcome. Handlers have failed Count(JobRetried)+Count(JobDead) times.
func (s *WorkStats) Count(o JobOutcome) int {
	if o >= outcomes {
		return 0
	}
	return int(s.counts[o].Load())
}
