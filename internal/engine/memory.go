package engine

import (
	"github.com/gospaces/gospaces/internal/call"
)

// What things take in memory, about: beside what is counted in full.
const (
	kindBytes         = 4 << 10 // a kind without entries
	txnBytes          = 512     // a transaction without locks
	registrationBytes = 512     // a registration without its query
	sessionBytes      = 512     // a session without outcomes
)

// Memory returns about how many bytes the state takes, those that are free for more entries included. Indexes are not
// counted. It costs a few additions.
func (e *Engine) Memory() int64 {
	return e.store.Bytes() + int64(len(e.kinds))*kindBytes + int64(len(e.txns))*txnBytes +
		int64(len(e.registrations))*registrationBytes + e.watched + e.sessions.bytes
}

// Fits reports whether drafts can be stored in memory that others have left, so that the state need not grow for them.
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

// Use is what there is of a kind.
type Use struct {
	Entries int
	Bytes   int // of their rows
}

// Use returns what there is of a kind, hidden entries included.
func (e *Engine) Use(id call.KindID) Use {
	if id == 0 || int(id) > len(e.kinds) {
		return Use{}
	}
	k := e.kinds[id-1]
	return Use{k.Used(), k.RowBytes()}
}

// Transactions returns how many transactions are open.
func (e *Engine) Transactions() int { return len(e.txns) }

// NumRegistrations returns how many registrations there are.
func (e *Engine) NumRegistrations() int { return len(e.registrations) }

// Knows reports whether there is a kind of that name.
func (e *Engine) Knows(kind string) bool { return e.byName[kind] != 0 }

// NumKinds returns how many kinds there are.
func (e *Engine) NumKinds() int { return len(e.kinds) }
