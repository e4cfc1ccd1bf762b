package engine

import "github.com/gospaces/gospaces/internal/record"

// Entries, registrations and transactions have identities from one sequence. What the log does not name when it is
// issued is reserved ahead, so that it is not issued again after a crash.

// nextID returns a new identity.
func (e *Engine) nextID() uint64 {
	e.lastID++
	return e.lastID
}

// reserveStep is the number of identities reserved at a time for things that the log does not name.
const reserveStep = 4096

// fleetingID returns a new identity for something that no record names; it is not issued again after a crash.
func (e *Engine) fleetingID() uint64 {
	if e.lastID >= e.reserved {
		e.change()
		e.reserved, e.reservedAt = e.lastID+reserveStep, e.lsn
		e.Log = record.AppendID(e.Log, record.Reserve, e.reserved)
	}
	return e.nextID()
}

// txnID returns a new identity for a transaction. Transactions have pages of identities of their own: so it is known
// what was never one. The rest of a page is not issued after a crash, since the log does not name what was.
func (e *Engine) txnID() uint64 {
	if (e.lastTxn+1)%fatePageIDs == 0 {
		page := max(e.lastID, e.reserved)/fatePageIDs + 1
		e.change()
		e.Log = record.AppendID(e.Log, record.TxnPage, page)
		e.beginTxnPage(page)
		e.lastTxn = page*fatePageIDs - 1
	}
	e.lastTxn++
	return e.lastTxn
}

// beginTxnPage makes the identities of a page those of transactions, all of which may be in use. Other identities
// follow.
func (e *Engine) beginTxnPage(page uint64) {
	e.fates.open(page)
	e.lastTxn = (page+1)*fatePageIDs - 1
	e.lastID, e.reservedAt = max(e.lastID, e.lastTxn), e.lsn
}

// endTxnPage leaves out the rest of the present page.
func (e *Engine) endTxnPage() { e.lastTxn |= fatePageIDs - 1 }
