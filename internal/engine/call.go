package engine

import (
	"math"
	"time"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Forever is the lease and the expiry of what never ends.
const Forever = math.MaxInt64

// MaxDelay is the longest delay: a hundred years. Time ends in 2262, and what was delayed still has a lease then.
const MaxDelay = 100 * 365 * 24 * int64(time.Hour)

// KindID numbers the kinds of one space, from 1 in the order in which they were registered; 0 stands for "any kind".
type KindID = uint32

// Draft is an entry to be written.
type Draft struct {
	Kind  KindID
	Row   template.Row // in the field order of the kind's schema; copied
	Lease int64        // nanoseconds asked for; Forever, or 0 for one that ends at once
	Delay int64        // nanoseconds until the entry becomes visible, at most MaxDelay; 0: at once
}

// Request identifies a call among those of a client's session, so that its outcome can be told again when the client has
// not heard it. The zero Request is one that nobody will repeat.
type Request struct {
	Session uint64 // as OpenSession has numbered it
	Number  uint64
}

// Change is a new row for an entry that is there already.
type Change struct {
	ID      uint64 // of the entry
	Version uint32 // that the entry must have; 0: any
	Kind    KindID // that the entry has, exactly, lest the row follow another schema
	Row     template.Row
}

// Template is a template whose kind is given by number; its conditions name fields of that kind's schema.
type Template struct {
	Kind  KindID // 0 matches every entry, and has no conditions
	Conds []template.Cond
	Named *Named // not nil: Kind and Conds follow from it, and Check sets them
}

// Query says which entries a call is about.
type Query struct {
	Templates []Template       // an entry matches if one of them does; at least one
	Order     []template.Order // empty: oldest first. Otherwise there is exactly one template, and Order names fields of its kind
	Max       int              // at least 1
	Take      bool             // remove what is found
	Claim     bool             // a read that finds what a take could, and so locks it that no other transaction claims or takes it
	IfExists  bool             // do not wait for entries that are not there yet
	Held      bool             // only entries that transactions have taken, for a call that starts with StartHeld…: a read, a count or contents
	Hidden    bool             // a read that tells, too, how many matches others have locked (Result.Count)
	ID        uint64           // only the entry with this identity, if not 0: it must match too
	Txn       txn.ID           // the transaction under which the call is made
	Begin     bool             // take each entry under a transaction of its own, begun for it
	Lease     int64            // of the transactions that Begin begins
	By        Request
	Holder    string // what the caller calls itself, for Begin
	Arrival   uint64 // place among the calls that wait, set by Park; a wait that is interrupted and goes on keeps it. 0: the last
}

// exclusive reports whether q finds only what its transaction may take.
func (q *Query) exclusive() bool { return q.Take || q.Claim }

// View shows one entry. Row aliases the engine's memory and is valid only until the engine is called again.
type View struct {
	ID       uint64
	Kind     KindID
	Row      template.Row
	Version  uint32   // 1, and one more with every change
	Attempts uint32   // how often the entry was put back by Defer
	Txn      uint64   // the transaction begun for it, for Query.Begin
	Died     *Death   // how the last transaction that held it has ended, if nobody ended it; nil otherwise
	Held     *Holding // for Query.Held
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
	Grants  []Grant // write, commit, renew, notify, begin
	Errs    []error // bulk renew and cancel: one per lease, nil where it was done
	Count   int     // register, count, prepare; contents, and reads with Hidden: matches that were left out because others have locked them
	Version uint32  // update
	Counts  []int   // kinds: visible entries of each kind, indexed by KindID-1
	Apart   []Apart // kinds: those that are there and not visible, likewise; -1 for one that was dropped
	Seq     uint64  // notify: the number before the registration's first event
	More    bool    // contents: another page follows, from Cursor
	Cursor  Cursor
	Fate    Fate   // fates of transactions and calls
	Depends uint64 // the LSN that must be durable before anyone may see the outcome
}
