package engine

import (
	"github.com/gospaces/gospaces/internal/call"
)

// Approximate memory of items, besides what is counted exactly.
const (
	kindBytes         = 4 << 10 // a kind without entries
	txnBytes          = 512     // a transaction without locks
	registrationBytes = 512     // a registration without its query
	sessionBytes      = 512     // a session without outcomes
)

// Memory returns the approximate size of the state in bytes, including free space for more entries. Indexes are not
// counted. It costs a few additions.
func (e *Engine) Memory() int64 {
	return e.store.Bytes() + int64(len(e.kinds))*kindBytes + int64(len(e.txns))*txnBytes +
		int64(len(e.registrations))*registrationBytes + e.watched + e.sessions.bytes
}

// Fits reports whether drafts fit into free memory, so that the state need not grow.
func (e *Engine) Fits(drafts []call.Draft) bool {
	if len(drafts) != 1 { // counting many is not worth it
		return false
	}
	d := &drafts[0]
	if d.Kind == 0 || int(d.Kind) > len(e.kinds) {
		return false
	}
	return e.kinds[d.Kind-1].Fits(len(d.Row))
}

// Use is the number and size of a kind's entries.
type Use struct {
	Entries int
	Bytes   int // of all rows
}

// Use returns the number and size of a kind's entries, including hidden ones.
func (e *Engine) Use(id call.KindID) Use {
	if id == 0 || int(id) > len(e.kinds) {
		return Use{}
	}
	k := e.kinds[id-1]
	return Use{k.Used(), k.RowBytes()}
}

// Transactions returns the number of open transactions.
func (e *Engine) Transactions() int { return len(e.txns) - e.reservations }

// NumRegistrations returns the number of registrations.
func (e *Engine) NumRegistrations() int { return len(e.registrations) }

// Knows reports whether a kind of that name exists.
func (e *Engine) Knows(kind string) bool { return e.byName[kind] != 0 }

// NumKinds returns the number of kinds.
func (e *Engine) NumKinds() int { return len(e.kinds) }
