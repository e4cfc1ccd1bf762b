package call

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

// Change is a new row for an entry that is there already.
type Change struct {
	ID      uint64 // of the entry
	Version uint32 // that the entry must have; 0: any
	Kind    KindID // that the entry has, exactly: the row follows its schema
	Row     template.Row
}

// View shows one entry. Row aliases the engine's memory and is valid only until the engine is called again.
type View struct {
	ID       uint64
	Kind     KindID
	Row      template.Row
	Version  uint32   // 1, and one more with every change
	Attempts uint32   // how often the entry was put back by Defer
	Txn      uint64   // the transaction begun for it, for Query.Begin
	Died     *Death   // how the last transaction that held it has ended, if no call ended it; nil otherwise
	Held     *Holding // for Query.Held
}

// Holding tells who holds an entry: the transaction that has taken it.
type Holding struct {
	Txn    txn.ID // without a space if it began in this one
	Holder string // what the client that began it calls itself; "" for a branch
	For    int64  // nanoseconds since the take; negative if that is not known: of a branch, after a restart
	Left   int64  // nanoseconds of the transaction's lease; Forever
}

// Death tells that a holder has vanished while it held an entry.
type Death struct {
	Holder string // what it called itself
	At     int64  // when that was noticed
}
