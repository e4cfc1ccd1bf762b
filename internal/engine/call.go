package engine

import (
	"math"

	"github.com/gospaces/gospaces/template"
)

// Forever is the lease and the expiry of what never ends.
const Forever = math.MaxInt64

// KindID numbers the kinds of one space, from 1 in the order in which they were registered; 0 stands for "any kind".
type KindID = uint32

// Draft is an entry to be written.
type Draft struct {
	Kind  KindID
	Row   template.Row // in the field order of the kind's schema; copied
	Lease int64        // nanoseconds asked for; Forever, or 0 for one that ends at once
}

// Template is a template whose kind is given by number; its conditions name fields of that kind's schema.
type Template struct {
	Kind  KindID // 0 matches every entry, and has no conditions
	Conds []template.Cond
}

// Query says which entries a call is about.
type Query struct {
	Templates []Template       // an entry matches if one of them does; at least one
	Order     []template.Order // empty: oldest first. Otherwise there is exactly one template, and Order names fields of its kind
	Max       int              // at least 1
	Take      bool             // remove what is found
	IfExists  bool             // do not wait for entries that are not there yet
}

// View shows one entry. Row aliases the engine's memory and is valid only until the engine is called again.
type View struct {
	ID   uint64
	Kind KindID
	Row  template.Row
}

// Grant is a lease as it was given.
type Grant struct {
	ID      uint64 // of the leased entry or registration
	Granted int64  // nanoseconds, at most what was asked for; Forever
}

// Result is the outcome of one call. Err is nil or one of this package's errors, possibly wrapped;
// the other fields are set as the call promises. A Result and all it refers to is valid only while it is handed over.
type Result struct {
	Err     error
	Entries []View  // read, take, contents
	Grants  []Grant // write, renew, notify
	Errs    []error // bulk renew and cancel: one per lease, nil where it was done
	Count   int
	Counts  []int  // kinds: visible entries of each kind, indexed by KindID-1
	Seq     uint64 // notify: the number before the registration's first event
	More    bool   // contents: another page follows, from Cursor
	Cursor  uint64
	Depends uint64 // the LSN that must be durable before anyone may see the outcome
}
