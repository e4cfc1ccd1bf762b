package engine

import (
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// Unheard is the number of identities skipped beyond the highest known one after a loss: lost entries had some of them,
// and their leases may still be held.
const Unheard = 1 << 30

// Originate begins the identities of an empty engine after origin: lower ones may be those of an earlier space.
func (e *Engine) Originate(origin uint64) {
	if origin == 0 || e.lastID != txn.IDBase(e.partition) || len(e.kinds) > 0 {
		return
	}
	e.dirty = false
	e.change()
	e.Log = record.AppendID(e.Log, record.Origin, origin)
	e.leaveOut(e.own(origin))
}

// Highest returns an origin for another engine, which is to have none of the identities of this one.
func (e *Engine) Highest() uint64 {
	base := txn.IDBase(e.partition)
	return max(max(e.lastID, e.reserved)-base, (e.sessions.lastID+1-base)*identitiesPerSession)
}

// leaveOut leaves out the identities up to id, and in proportion numbers of sessions: those that the state does not
// know may have been in use. The fates of transactions with such identities are unknown, so they begin with a new page.
func (e *Engine) leaveOut(id uint64) {
	page := max(e.lastID, e.reserved, id)/fatePageIDs + 1
	e.lastID = page * fatePageIDs
	e.fates = fates{first: page}
	e.lastTxn = e.lastID - 1 // its page is forgotten
	e.reserved, e.reservedAt = e.lastID, e.lsn
	base := txn.IDBase(e.partition)
	e.sessions.lastID = max(e.sessions.lastID+unheardSessions, base+(e.lastID-base)/identitiesPerSession)
}

// identitiesPerSession is how many identities a space is expected to give out, at least, for each session that begins:
// without a pause it may begin 950 a second.
const identitiesPerSession = 1 << 12

// unheardSessions is Unheard for sessions.
const unheardSessions = Unheard / identitiesPerSession
