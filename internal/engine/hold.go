package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// What a transaction takes it holds, and the log knows: a transaction that has only taken outlasts a restart, with its lease and all that it
// holds. Once it has done more it is volatile: it must never go on without a lock or an effect that it had.
//
// No answer waits for the record of the first entries that a transaction takes: a crash that loses it loses the transaction with it. But what is
// answered later under a transaction that the log knows already, or may know, waits for its record, or a restart would keep a part of
// the transaction. A branch of a transaction of another space has no such records.

// Loss tells the holder of a transaction that it has ended.
type Loss struct {
	Txn uint64
	By  call.Request // that began it
	Why error        // wraps ErrTxnEnded
}

// errCancelled is why a transaction has ended that had taken an entry which was cancelled.
var errCancelled = fmt.Errorf("%w: an entry that it had taken was cancelled", call.ErrTxnEnded)

// errVictim is why a transaction has ended that was aborted to break a deadlock. Its calls that wait return ErrDeadlock.
var errVictim = fmt.Errorf("%w: to break a deadlock", call.ErrTxnEnded)

// errLapsed is why a transaction has ended whose lease is over.
var errLapsed = fmt.Errorf("%w: its lease is over", call.ErrTxnEnded)

// hold makes the log know that t has taken an entry.
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

// recordHold records what the log knows of a take as it is now, if it is to know it, and returns the LSN of that.
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

// spoil notes that t has done more than take, so that it ends with a restart.
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

// VolatileAt returns the change of which the record says that a transaction is volatile, 0 if there is none.
func (e *Engine) VolatileAt(number uint64) uint64 {
	if t := e.txns[number]; t != nil {
		return t.volatileAt
	}
	return 0
}

// counts reports whether an entry that is released for a reason was given up by nobody: that is an attempt.
func counts(why record.Reason) bool { return why == record.Expired || why == record.Gone }

// recordRelease records that an entry which was taken is released, if the log knows that it was.
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

// released notes that an entry is about to be free, with so many attempts.
func (e *Engine) released(k *kind, s slot, at int64, tries uint32) {
	e.keepImage(k, s)
	en := k.At(s)
	if tries > en.Attempts {
		k.deaths[s] = &call.Death{Holder: k.locks[s].owner.holder, At: at}
	}
	en.Attempts, en.LSN, k.changed = tries, e.lsn, e.lsn
}

// lapse aborts a transaction whose lease is over. That was not for its holder to prevent if it could not be heard.
func (e *Engine) lapse(t *transaction) {
	reason := record.Expired
	if t.restored {
		reason = record.Restarted
	}
	e.tellHolder(t, errLapsed)
	e.abort(t, call.ErrTxnEnded, reason)
}

// lose aborts t, and tells its holder.
func (e *Engine) lose(t *transaction, why error, reason record.Reason) {
	if why == call.ErrDeadlock {
		e.tellHolder(t, errVictim)
	} else {
		e.tellHolder(t, why)
	}
	e.abort(t, why, reason)
}

func (e *Engine) tellHolder(t *transaction, why error) {
	if t.name.IsZero() {
		e.Lost = append(e.Lost, Loss{t.id, t.by, why})
	}
}

// holder returns the transaction that has taken the entry in slot s, if it can be aborted, or nil.
func (k *kind) holder(s slot) *transaction {
	if k.At(s).State != taken || k.locks[s].owner.prepared {
		return nil
	}
	return k.locks[s].owner
}

// Lose aborts a transaction whose holder is gone without a word. It fails with ErrTxnEnded.
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

// Adopt is OpenTxns for a session whose client is there again.
func (e *Engine) Adopt(session uint64) []call.OpenTxn {
	open := e.OpenTxns(session)
	for _, o := range open {
		e.txns[o.Number].restored = false
	}
	return open
}

// OpenTxns returns the transactions that a session has begun here, by number.
func (e *Engine) OpenTxns(session uint64) []call.OpenTxn {
	open := e.TxnsOf(session)
	slices.SortFunc(open, call.OpenTxn.Compare)
	return open
}

// TxnsOf is OpenTxns in no order: to sort very many takes longer than to find them.
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
	for _, o := range slices.Backward(e.OpenTxns(session)) { // each entry finds its old neighbours back in their places
		if t := e.txns[o.Number]; t != nil {
			e.abort(t, call.ErrTxnEnded, reason)
			e.settle()
		}
	}
}

// outlast notes that the transactions that there are have outlasted a restart.
func (e *Engine) outlast() {
	for _, t := range e.txns {
		t.restored = true
	}
}

// EndVolatile ends the transactions that a restart has taken something from, for who only reads what a log holds.
func (e *Engine) EndVolatile(now int64) {
	e.begin(now)
	e.endVolatile()
}

// endVolatile ends the transactions that a restart has taken something from.
func (e *Engine) endVolatile() {
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		if t := e.txns[number]; t != nil && t.volatile {
			e.abort(t, call.ErrTxnEnded, record.Restarted)
			e.settle()
		}
	}
}

// applyHold takes over that a transaction, which may be new, has taken an entry, or what has changed of that.
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
		e.lastID = max(e.lastID, r.ID)
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

// forgo takes an entry that is released off the list of those that t has taken: t may take it again. Those that were
// taken last are released first.
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

// unhold removes the lock of an entry, if it has one, for who applies records: the log forgets a transaction when it holds nothing.
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
