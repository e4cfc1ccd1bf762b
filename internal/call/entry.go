package call

import (
	"math"
	"time"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Forever is the lease, or the expiry, of something that never ends.
const Forever = math.MaxInt64

// MaxDelay is the longest delay: a hundred years. Time ends in 2262, which leaves every delayed entry a lease.
const MaxDelay = 100 * 365 * 24 * int64(time.Hour)

// KindID numbers the kinds of one space, from 1 in the order in which they were registered; 0 stands for "any kind".
type KindID = uint32

// Draft is an entry to be written.
type Draft struct {
	Kind  KindID
	Row   template.Row // in the field order of the kind's schema; copied
	Lease int64        // requested, in nanoseconds; Forever, or 0 for a lease that ends at once
	Delay int64        // nanoseconds until the entry becomes visible, at most MaxDelay; 0: at once
}

// Change is a new row for an existing entry.
type Change struct {
	ID      uint64 // of the entry
	Version uint32 // required version; 0: any
	Kind    KindID // the exact kind of the entry, whose schema the row follows
	Row     template.Row
}

// View is one entry as a call sees it. Row aliases the engine's memory and is valid only until the next call of the
// engine.
type View struct {
	ID       uint64
	Kind     KindID
	Row      template.Row
	Version  uint32   // 1, plus one for every change
	Attempts uint32   // number of times the entry was put back by Defer
	Txn      uint64   // the transaction begun for it, for Query.Begin
	Died     *Death   // how its last holder's transaction ended, if no call ended it; nil otherwise
	Held     *Holding // for Query.Held
}

// Holding describes the holder of an entry: the transaction that has taken it.
type Holding struct {
	Txn    txn.ID // has no space if it began in this one
	Holder string // name of the client that began it; "" for a branch
	For    int64  // nanoseconds since the take; negative if unknown, as for a branch after a restart
	Left   int64  // nanoseconds left of the transaction's lease; Forever
}

// Death records that a holder vanished while it held an entry.
type Death struct {
	Holder string // name of the client
	At     int64  // when it was noticed
}
