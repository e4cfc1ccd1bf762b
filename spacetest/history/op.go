// Package history records what concurrent clients of a space saw and judges it against what a space promises.
//
// Clients call through a Log, which notes when each call began and ended and what came of it. Check then looks for
// outcomes that no correct space could have given: entries taken twice, invented, lost, seen outside their life or
// out of order, waits that ended early, counts that cannot be. Linearizable searches for one order of all calls that explains
// every answer; that is the stronger judgement, and affordable for short histories only.
//
// A call with an Unknown outcome may have happened or not, at any time after it began.
package history

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Never is the end of what does not end: the return of a call whose outcome is unknown, the lease of what lives forever.
const Never time.Duration = math.MaxInt64

// Item is a written entry. N is unique within a history; all numbers start at 1.
type Item struct {
	Key, Color, N int
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

// The verbs. Cancel ends the lease of one item and so removes it.
const (
	Write  Verb = "write"
	Read   Verb = "read"
	Take   Verb = "take"
	Count  Verb = "count"
	Cancel Verb = "cancel"
)

// Outcome is how a call ended.
type Outcome string

const (
	OK      Outcome = "ok"
	None    Outcome = "none"    // no match; for Cancel: the lease had ended
	Refused Outcome = "refused" // failed, was cancelled by its caller: it changed nothing
	Unknown Outcome = "unknown" // it may have happened or not
)

// Op is one call of one client. Times count from the start of the recording.
type Op struct {
	Client  int
	Verb    Verb
	Pattern Pattern       // read, take, count
	Items   []Item        // what was written, read or taken, in that order; the item whose lease was cancelled
	Max     int           // read, take: at most so many items; 0 means 1
	Wait    time.Duration // read, take: None comes not before
	Lease   time.Duration // write: as granted; 0 means Never
	Number  int           // count: the answer
	Outcome Outcome
	Call    time.Duration
	Return  time.Duration
}

// String shows the call in one line.
func (o Op) String() string {
	what := fmt.Sprint(o.Pattern)
	if o.Verb == Write || o.Verb == Cancel {
		what = fmt.Sprint(o.Items)
	}
	s := fmt.Sprintf("client %d [%v, %v] %s %s: %s", o.Client, o.Call, o.Return, o.Verb, what, o.Outcome)
	switch {
	case o.Verb == Count && o.Outcome == OK:
		s += fmt.Sprintf(" %d", o.Number)
	case o.Verb == Read || o.Verb == Take:
		s += fmt.Sprintf(" %v", o.Items)
	}
	return s
}

// lease returns how long the items of a write live.
func (o *Op) lease() time.Duration {
	if o.Lease == 0 {
		return Never
	}
	return o.Lease
}

// end returns the time by which the call has surely taken effect, if it has at all.
func (o *Op) end() time.Duration {
	if o.Outcome == Unknown {
		return Never
	}
	return o.Return
}

// plus adds two times, either of which may be Never.
func plus(a, b time.Duration) time.Duration {
	if a > Never-b {
		return Never
	}
	return a + b
}

// before orders calls by their beginning.
func before(a, b *Op) int { return int(min(max(a.Call-b.Call, -1), 1)) }

// sorted returns pointers to ops by the time of their call.
func sorted(ops []Op) []*Op {
	s := make([]*Op, len(ops))
	for i := range ops {
		s[i] = &ops[i]
	}
	slices.SortStableFunc(s, before)
	return s
}
