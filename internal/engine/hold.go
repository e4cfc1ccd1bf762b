package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// The log knows the entries that a transaction holds, that is, has taken. A transaction that has only taken survives a
// restart, with its lease and all entries that it holds. Once it has done more it is volatile: it must never continue
// without a lock or an effect that it had.
//
// No answer waits for the record of the first entries that a transaction takes: a crash that loses the record loses the
// transaction with it. Later answers under a transaction that the log knows, or may know, wait for their records,
// because otherwise a restart would keep only part of the transaction. A branch of a transaction of another space has
// no such records.

// Loss tells the holder of a transaction that the transaction has ended.
type Loss struct {
	Txn uint64
	By  call.Request // the call that began it
	Why error        // wraps ErrTxnEnded, or is ErrDeadlock
}

// errCancelled is the reason when an entry that the transaction had taken was cancelled.
var errCancelled = fmt.Errorf("%w: an entry that it had taken was cancelled", call.ErrTxnEnded)

// errLapsed is the reason when the lease of the transaction is over.
var errLapsed = fmt.Errorf("%w: its lease is over", call.ErrTxnEnded)

// hold records in the log that t has taken an entry.
func (e *Engine) hold(t *transaction, h held) {
	l := h.k.locks[h.s]
	l.since = e.now
	if e.store.Following || !t.name.IsZero() {
		return
	}
	e.recording(call.Request{Session: t.by.Session}) // so that the session keeps its number
	l.logged = true
	t.holds++
	begin := len(e.Log)
	e.recordHold(h)
	if begin == e.Unhurried {
		e.Unhurried = len(e.Log)
	}
}

// recordHold records the current state of a take, if the log should know it, and returns the LSN of the record.
func (e *Engine) recordHold(h held) uint64 {
	l := h.k.locks[h.s]
	if !l.logged || e.store.Following {
		return 0
	}
	e.change()
	e.Log = appendHold(e.Log, h, l)
	return e.lsn
}

func appendHold(dst []byte, h held, l *lock) []byte {
	r := holdOf(h, l)
	return record.AppendHold(dst, &r)
}

// holdOf returns what the log knows of a take.
func holdOf(h held, l *lock) record.Held {
	t := l.owner
	return record.Held{
		Txn: t.id, Entry: h.id, Kind: h.k.id, Session: t.by.Session, Call: t.by.Number, Since: l.since, Until: t.expires,
		Visible: l.putAt(), Volatile: t.volatile, Holder: t.holder,
	}
}

// spoil makes t volatile: it has done more than take, and ends with a restart.
func (e *Engine) spoil(t *transaction) {
	if t.volatile || e.store.Following {
		return
	}
	e.keepTerms(t)
	if t.volatile = true; t.holds > 0 {
		e.change()
		e.Log = record.AppendID(e.Log, record.Volatile, t.id)
		t.volatileAt = e.lsn
	}
}

// VolatileAt returns the LSN of the record that makes a transaction volatile, 0 if there is none.
func (e *Engine) VolatileAt(number uint64) uint64 {
	if t := e.txns[number]; t != nil {
		return t.volatileAt
	}
	return 0
}

// counts reports whether a release for this reason counts as an attempt: no client gave the entry up.
func counts(why record.Reason) bool { return why == record.Expired || why == record.Gone }

// recordRelease records the release of a taken entry, if the log knows of the take.
func (e *Engine) recordRelease(h held, why record.Reason) {
	l := h.k.locks[h.s]
	if !l.logged || e.store.Following {
		return
	}
	tries := h.k.At(h.s).Attempts
	if counts(why) {
		tries++
	}
	e.change()
	e.Log = record.AppendRelease(e.Log, h.id, h.k.id, why, e.now, tries)
	e.released(h.k, h.s, e.now, tries)
}

// released is called before an entry becomes free, with its number of attempts.
func (e *Engine) released(k *kind, s slot, at int64, tries uint32) {
	e.keepImage(k, s)
	en := k.At(s)
	if tries > en.Attempts {
		k.deaths[s] = &call.Death{Holder: k.locks[s].owner.holder, At: at}
	}
	en.Attempts, en.LSN, k.changed = tries, e.lsn, e.lsn
}

// lapse aborts a transaction whose lease is over. Its holder is not to blame if it could not be heard.
func (e *Engine) lapse(t *transaction) {
	reason := record.Expired
	if t.restored {
		reason = record.Restarted
	}
	e.tellHolder(t, errLapsed)
	e.abort(t, call.ErrTxnEnded, reason)
}

// lose aborts t and tells its holder.
func (e *Engine) lose(t *transaction, why error, reason record.Reason) {
	e.tellHolder(t, why)
	e.abort(t, why, reason)
}

func (e *Engine) tellHolder(t *transaction, why error) {
	if t.name.IsZero() && !t.reserves {
		e.Lost = append(e.Lost, Loss{t.id, t.by, why})
	}
}

// holder returns the transaction that has taken the entry in slot s, if it can be aborted; otherwise nil.
func (k *kind) holder(s slot) *transaction {
	if k.At(s).State != taken || k.locks[s].owner.prepared {
		return nil
	}
	return k.locks[s].owner
}

// Lose aborts a transaction whose holder has vanished. It fails with ErrTxnEnded.
func (e *Engine) Lose(now int64, number uint64) call.Result {
	e.begin(now)
	t, err := e.active(txn.ID{Number: number})
	if err != nil {
		return e.refused(err)
	}
	e.abort(t, call.ErrTxnEnded, record.Gone)
	e.settle()
	return e.undone()
}

// Adopt is OpenTxns for a session whose client has come back.
func (e *Engine) Adopt(session uint64) []call.OpenTxn {
	open := e.OpenTxns(session)
	for _, o := range open {
		e.txns[o.Number].restored = false
	}
	return open
}

// OpenTxns returns the open transactions that a session began here, by number.
func (e *Engine) OpenTxns(session uint64) []call.OpenTxn {
	open := e.TxnsOf(session)
	slices.SortFunc(open, call.OpenTxn.Compare)
	return open
}

// TxnsOf is OpenTxns in no particular order: sorting very many takes longer than finding them.
func (e *Engine) TxnsOf(session uint64) (open []call.OpenTxn) {
	for number, t := range e.txns {
		if t.by.Session == session && t.name.IsZero() {
			open = append(open, call.OpenTxn{Number: number, Call: t.by.Number})
		}
	}
	return open
}

// endTxnsOf aborts the transactions of a session that ends.
func (e *Engine) endTxnsOf(session uint64, goodbye bool) {
	reason := record.Gone
	if goodbye {
		reason = record.Cancelled
	}
	for _, o := range slices.Backward(e.OpenTxns(session)) { // in this order each entry finds its old neighbours in place
		if t := e.txns[o.Number]; t != nil {
			e.abort(t, call.ErrTxnEnded, reason)
			e.settle()
		}
	}
}

// outlast marks all open transactions as having survived a restart.
func (e *Engine) outlast() {
	for _, t := range e.txns {
		t.restored = true
	}
}

// EndVolatile ends the volatile transactions, for a program that only reads a log.
func (e *Engine) EndVolatile(now int64) {
	e.begin(now)
	e.endVolatile()
}

// endVolatile ends the transactions that lost something in a restart.
func (e *Engine) endVolatile() {
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		if t := e.txns[number]; t != nil && t.volatile {
			e.abort(t, call.ErrTxnEnded, record.Restarted)
			e.settle()
		}
	}
}

// StepDown ends what does not outlast a hand-over to another engine, which has applied the log: the transactions that
// the log does not know, or that have done more than take, and the sessions that have no outcomes. Then the engine is
// as one that has applied its records, and can go on to apply those of its successor. No call waits any more.
func (e *Engine) StepDown(now int64) {
	e.begin(now)
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		if t := e.txns[number]; t != nil && !t.prepared && (t.volatile || t.holds == 0) {
			e.abort(t, call.ErrTxnEnded, record.Restarted)
			e.settle()
		}
	}
	e.sessions.dropUnlogged()
	e.endTxnPage()
}

// applyHold applies the record of a take by a transaction, which may be new, or of a change to the take.
func (e *Engine) applyHold(r *record.Record) error {
	p, ok := e.store.Find(r.Entry)
	if !ok {
		return errAbsent
	}
	k, s := e.kinds[p.Kind-1], p.Slot
	t := e.txns[r.ID]
	if t == nil {
		t = &transaction{id: r.ID, by: call.Request{Session: r.Session, Number: r.Number}, holder: string(r.Body)}
		e.txns[t.id] = t
	}
	switch k.At(s).State {
	case free:
		e.seize(t, k, s)
		k.locks[s].logged = true
		t.holds++
	case taken:
		if k.locks[s].owner != t {
			return errState
		}
	default:
		return errState
	}
	e.keepImage(k, s)
	e.keepTerms(t)
	l := k.locks[s]
	l.since, l.put, l.visible, t.volatile = r.Time, r.Visible != 0, r.Visible, r.Volatile
	e.setTxnExpiry(t, r.Expires)
	return nil
}

func (e *Engine) applyVolatile(r *record.Record) error {
	t := e.txns[r.ID]
	if t == nil {
		return errAbsent
	}
	e.keepTerms(t)
	t.volatile = true
	return nil
}

func (e *Engine) applyRelease(r *record.Record) error {
	p, ok := e.store.Find(r.ID)
	if !ok {
		return errAbsent
	}
	k, s := e.kinds[p.Kind-1], p.Slot
	if k.At(s).State != taken || !k.locks[s].logged {
		return errState
	}
	e.released(k, s, r.Time, r.Tries)
	k.locks[s].owner.forgo(held{k, s, r.ID})
	e.unhold(k, s)
	k.Free.Insert(s)
	return nil
}

// forgo removes a released entry from the list of entries that t has taken: t may take it again. The last taken entries
// are released first.
func (t *transaction) forgo(h held) {
	for i, o := range slices.Backward(t.taken) {
		if o == h {
			t.taken = slices.Delete(t.taken, i, i+1)
			return
		}
	}
}

func (e *Engine) applyDeath(r *record.Record) error {
	p, ok := e.store.Find(r.ID)
	if !ok {
		return errAbsent
	}
	e.kinds[p.Kind-1].deaths[p.Slot] = &call.Death{Holder: string(r.Body), At: r.Time}
	return nil
}

// unhold removes the lock of an entry, if any, when records are applied: the log forgets a transaction that holds
// nothing.
func (e *Engine) unhold(k *kind, s slot) {
	l := k.unlock(s)
	if l == nil || !l.logged {
		return
	}
	if t := l.owner; t.holds == 0 {
		e.unfileTxn(t)
		delete(e.txns, t.id)
	}
}
