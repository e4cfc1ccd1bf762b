// Package history records what concurrent clients of a space see, and checks it against the guarantees of a space.
//
// Clients call through a Log, which records the start, the end and the outcome of each call. Check then looks for
// outcomes that no correct space could give: entries taken twice, invented, lost, seen outside their life or out of
// order, waits that ended early, impossible counts, locks that did not hold, transactions that took effect by half or
// are not serializable. Linearizable searches for one order of all calls that explains every answer; that is the
// stronger check, and affordable for short histories only.
//
// A call with an Unknown outcome may or may not have taken effect, at any time after it began and before the next
// crash.
package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Never is a time that does not come: the return of a call whose outcome is unknown, the end of a lease without end.
const Never time.Duration = math.MaxInt64

// Item is a written entry. N is unique in a history; numbers start at 1. V is the number of updates of the item.
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

// Verb is the kind of a call.
type Verb string

// The verbs. Cancel ends the lease of one item and so removes it; Update replaces a version of an item by the next one.
// Rollback undoes what its transaction has done, except for the takes of its items. Crash is a stop and restart of the
// server: calls that have not taken effect when it returns never will, and no transaction survives it.
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
	None    Outcome = "none"    // no match; for Cancel: the lease had ended; for Update: the version was stale
	Refused Outcome = "refused" // failed, or cancelled by its caller: no effect
	Unknown Outcome = "unknown" // it may or may not have taken effect
	Ended   Outcome = "ended"   // its transaction had ended before
)

// Op is one call of one client. Times count from the start of the recording.
type Op struct {
	Client  int
	Verb    Verb
	Txn     int     // the transaction of the call, by its number in the history; 0: none
	Pattern Pattern // read, take, count
	// written (also by a commit), read or taken, in that order; cancelled; the new version; kept by a rollback
	Items    []Item
	Max      int           // read, take: maximum number of items; 0 means 1
	Wait     time.Duration // read, take: minimum time before None
	IfExists bool          // read, take: None may come as soon as nothing matches, locked or not
	Lease    time.Duration // write, commit: as granted; 0 means Never
	Late     bool          // write: its items get their place in the order some time after the commit, not at it
	// In a transaction over several nodes: it may have lost what it has of other keys, which its calls on this one do
	// not show. Its commit does. And what it has locked may be free some time after it has ended.
	Scattered bool
	Number    int // count: the answer
	Outcome   Outcome
	Call      time.Duration
	Return    time.Duration

	latest time.Duration // the time by which it has certainly taken effect, if at all; set by prepare
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

// prepare returns copies of the calls of a history in the order of their start, each with the time by which it has
// taken effect.
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

// crashed returns the end of the first crash after t; Never if there was none.
func crashed(ops []*Op, t time.Duration) time.Duration {
	for _, o := range ops {
		if o.Verb == Crash && o.Call >= t {
			return o.Return
		}
	}
	return Never
}
