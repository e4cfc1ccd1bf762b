package space

import (
	"fmt"
	"time"

	"github.com/gospaces/gospaces/template"
)

// These strings are for messages and logs: short, without internal state.

// String returns the identity of the lease and how long it still runs, as in "lease 17 (9m59s left)".
func (l *Lease) String() string {
	switch left := l.Remaining(); left {
	case Forever:
		return fmt.Sprintf("lease %d (forever)", l.id)
	case 0:
		return fmt.Sprintf("lease %d (over)", l.id)
	default:
		return fmt.Sprintf("lease %d (%v left)", l.id, brief(left))
	}
}

// brief rounds a duration for people.
func brief(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

// String returns the identity of the transaction and its state as known to this handle, as in "transaction default/17
// (open)".
func (t *Txn) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := [...]string{txnOpen: "open", txnCommitting: "committing", txnEnded: "ended"}[t.state]
	return fmt.Sprintf("transaction %v (%s)", t.id, state)
}

// String returns the kind, the identity and the fields of the entry, as in `job 17 {"id":7}`.
func (e Entry) String() string {
	if e.Schema == nil {
		return "no entry"
	}
	return fmt.Sprintf("%s %d %s", e.Kind(), e.ID, template.AppendJSON(nil, e.Schema, e.Row))
}

// String returns the identity and the value of the entry, as in "entry 17 {7 new}".
func (e EntryOf[T]) String() string { return fmt.Sprintf("entry %d %+v", e.ID, e.Value) }

// String returns the event in a line, as in `event 3: taken job 17 {"id":7}`.
func (e Event) String() string {
	if e.Type == Gap {
		return gapText(e.Seq, e.Missed, e.Cause)
	}
	return fmt.Sprintf("event %d: %v %v", e.Seq, e.Type, e.Entry)
}

// String returns the event in a line, as in "event 3: taken 17 {7 new}".
func (e EventOf[T]) String() string {
	if e.Type == Gap {
		return gapText(e.Seq, e.Missed, e.Cause)
	}
	return fmt.Sprintf("event %d: %v %d %+v", e.Seq, e.Type, e.ID, e.Value)
}

func gapText(seq, missed uint64, why GapCause) string {
	if why == GapRestart {
		return fmt.Sprintf("event %d: gap (restart), events may be missing before it", seq)
	}
	return fmt.Sprintf("event %d: gap (%v), what came after event %d is lost", seq, why, seq-missed)
}

// String returns the identity of the registration.
func (r *keptRegistration) String() string { return fmt.Sprint("registration ", r.Lease().ID()) }
