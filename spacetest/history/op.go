// Package history records what concurrent clients of a space saw and judges it against what a space promises.
//
// Clients call through a Log, which notes when each call began and ended and what came of it. Check then looks for
// outcomes that no correct space could have given: entries taken twice, invented, lost, seen outside their life or
// out of order, waits that ended early, counts that cannot be, locks that did not hold, transactions that happened by half
// or not one after the other. Linearizable searches for one order of all calls that explains
// every answer; that is the stronger judgement, and affordable for short histories only.
//
// A call with an Unknown outcome may have happened or not, at any time after it began and before the next crash.
package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Never is the end of what does not end: the return of a call whose outcome is unknown, the lease of what lives forever.
const Never time.Duration = math.MaxInt64

// Item is a written entry. N is unique within a history; all numbers start at 1. V counts the updates of the item; it is 0 as written.
type Item struct {
	Key, Color, N, V int
}

// same reports whether i and j are versions of one item.
func (i Item) same(j Item) bool {
	j.V = i.V
	return i == j
}

// Pattern selects items; a zero field is a wildcard.
type Pattern struct {
	Key, Color, N int
}

// Match reports whether i satisfies p.
func (p Pattern) Match(i Item) bool {
	return (p.Key == 0 || p.Key == i.Key) && (p.Color == 0 || p.Color == i.Color) && (p.N == 0 || p.N == i.N)
}

// Verb is what a call does.
type Verb string

// The verbs. Cancel ends the lease of one item and so removes it, Update puts a new version of an item in the place of the
// version before. Rollback undoes what its transaction has done, but for the takes of its items. Crash is the end
// and the new start of the server: what has not happened when it returns never will, and no transaction outlives it.
const (
	Write    Verb = "write"
	Read     Verb = "read"
	Take     Verb = "take"
	Count    Verb = "count"
	Cancel   Verb = "cancel"
	Update   Verb = "update"
	Begin    Verb = "begin"
	Commit   Verb = "commit"
	Abort    Verb = "abort"
	Rollback Verb = "rollback"
	Crash    Verb = "crash"
)

// Outcome is how a call ended.
type Outcome string

const (
	OK      Outcome = "ok"
	None    Outcome = "none"    // no match; for Cancel: the lease had ended; for Update: it came too late
	Refused Outcome = "refused" // failed, was cancelled by its caller: it changed nothing
	Unknown Outcome = "unknown" // it may have happened or not
	Ended   Outcome = "ended"   // its transaction had ended before
)

// Op is one call of one client. Times count from the start of the recording.
type Op struct {
	Client   int
	Verb     Verb
	Txn      int           // the transaction under which the call was made, by a number of its own in the history; 0: none
	Pattern  Pattern       // read, take, count
	Items    []Item        // written (by a commit, too), read or taken, in that order; cancelled; the new version; kept by a rollback
	Max      int           // read, take: at most so many items; 0 means 1
	Wait     time.Duration // read, take: None comes not before
	IfExists bool          // read, take: None may come as soon as nothing matches, locked or not
	Lease    time.Duration // write, commit: as granted; 0 means Never
	Number   int           // count: the answer
	Outcome  Outcome
	Call     time.Duration
	Return   time.Duration

	latest time.Duration // the time by which it has surely taken effect, if it has at all; set by prepare
}

// String shows the call in one line.
func (o Op) String() string {
	what := fmt.Sprint(o.Pattern)
	if !o.looks() {
		what = fmt.Sprint(o.Items)
	}
	s := fmt.Sprintf("client %d [%v, %v] %s %s: %s", o.Client, o.Call, o.Return, o.Verb, what, o.Outcome)
	if o.Txn != 0 {
		s = fmt.Sprintf("transaction %d, %s", o.Txn, s)
	}
	switch {
	case o.Verb == Count && o.Outcome == OK:
		s += fmt.Sprintf(" %d", o.Number)
	case o.Verb == Read || o.Verb == Take:
		s += fmt.Sprintf(" %v", o.Items)
	}
	return s
}

// looks reports whether the call looks for items.
func (o *Op) looks() bool { return o.Verb == Read || o.Verb == Take || o.Verb == Count }

// writes reports whether the call writes items, if it is not refused.
func (o *Op) writes() bool { return o.Verb == Write || o.Verb == Commit && len(o.Items) > 0 }

// lease returns how long the items of a write live.
func (o *Op) lease() time.Duration {
	if o.Lease == 0 {
		return Never
	}
	return o.Lease
}

// plus adds two times, either of which may be Never.
func plus(a, b time.Duration) time.Duration {
	if a > Never-b {
		return Never
	}
	return a + b
}

// prepare returns copies of the calls of a history by the time of their call, each with the time by which it has taken effect.
func prepare(history []Op) []*Op {
	ops := slices.Clone(history)
	sorted := make([]*Op, len(ops))
	for i := range ops {
		sorted[i] = &ops[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Op) int { return cmp.Compare(a.Call, b.Call) })
	for i, o := range sorted {
		if o.latest = o.Return; o.Outcome == Unknown {
			o.latest = crashed(sorted[i:], o.Return)
		}
	}
	return sorted
}

// crashed returns when the first crash after t was over; Never if there was none.
func crashed(ops []*Op, t time.Duration) time.Duration {
	for _, o := range ops {
		if o.Verb == Crash && o.Call >= t {
			return o.Return
		}
	}
	return Never
}
