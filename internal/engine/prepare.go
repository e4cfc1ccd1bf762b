package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// A transaction over several spaces has its home in the space where it began, and a branch in each of the others. The
// commit of the home is the decision, so the home commits last and need not prepare. Package txn coordinates; these are
// the participants' parts.

// ErrSpans is returned by Commit for a transaction that has branches: these must prepare first, and Decide commits it.
var ErrSpans = errors.New("space: the transaction spans several spaces")

// Decision is a transaction and the partitions in which it has branches.
type Decision struct {
	Number       uint64
	Participants []txn.Address
}

// Enlist records, at the home of a transaction, a branch that is about to be used. It does nothing if that is enlisted
// already. If another branch in the same partition was enlisted before, that one was lost, and the transaction is
// aborted. It fails with ErrTxnEnded.
func (e *Engine) Enlist(now int64, number uint64, b txn.Branch) call.Result {
	e.begin(now)
	t, err := e.active(txn.ID{Number: number})
	if err != nil {
		return e.refused(err)
	}
	for _, had := range t.participants {
		switch {
		case had == b:
			return call.Result{Depends: max(e.reservedAt, t.volatileAt)}
		case had.At == b.At:
			e.abort(t, call.ErrTxnEnded, record.Cancelled)
			return e.refused(call.ErrTxnEnded)
		}
	}
	t.participants = append(t.participants, b)
	e.spoil(t)
	return call.Result{Depends: max(e.reservedAt, t.volatileAt)}
}

// Participants returns the branches of a transaction whose home this is.
func (e *Engine) Participants(number uint64) []txn.Branch {
	if t := e.txns[number]; t != nil {
		return slices.Clone(t.participants)
	}
	return nil
}

// Join creates a branch of a transaction that began in another space. The branch has no lease: its home ends it. Join
// does nothing if the branch exists. Result: Count, the number of the branch.
func (e *Engine) Join(now int64, id txn.ID) call.Result {
	e.begin(now)
	if e.branches[id] == 0 {
		t := &transaction{id: e.txnID(), name: id, expires: call.Forever}
		e.txns[t.id] = t
		e.branches[id] = t.id
	}
	return call.Result{Count: int(e.branches[id]), Depends: e.reservedAt}
}

// Prepare makes the effects of a branch durable and keeps them locked until Commit or Abort, across crashes. It drops
// the read locks of the branch and ends its waiting calls. Result: Count, which is 1, or 0 if there was nothing to
// commit and the branch has ended. It fails with ErrTxnEnded if there is no branch, or one of another number.
func (e *Engine) Prepare(now int64, id txn.ID, number uint64) call.Result {
	e.begin(now)
	t, err := e.transaction(id)
	if err == nil && t.id != number {
		err = ErrNoBranch
	}
	if err != nil {
		return e.refused(err)
	}
	if t.prepared {
		return call.Result{Count: 1, Depends: e.lsn}
	}
	if !e.changes(t) {
		e.abort(t, call.ErrTxnEnded, record.Cancelled)
		e.settle()
		return call.Result{}
	}
	for _, w := range t.calls() {
		e.end(w, call.ErrTxnEnded)
	}
	for _, r := range t.registrations {
		if e.registrations[r.id] == r {
			e.forget(r)
		}
	}
	t.registrations = nil
	e.keepLocked(t)
	e.change()
	e.Log = appendPrepared(e.Log, t)
	e.setTxnExpiry(t, call.Forever)
	t.prepared, t.volatile = true, false // the log has all of it
	e.doubtful[t] = struct{}{}
	e.unshare(t)
	e.offerPending()
	e.settle()
	return call.Result{Count: 1, Depends: e.lsn}
}

// appendPrepared appends the records of the effects that t will have.
func appendPrepared(dst []byte, t *transaction) []byte {
	dst = appendPrepare(dst, t)
	for _, h := range t.own {
		if h.ownedBy(t) {
			dst = appendStaged(dst, t, h)
		}
	}
	for _, h := range t.taken {
		if h.takenBy(t) {
			dst = appendStaged(dst, t, h)
		}
	}
	return dst
}

func appendPrepare(dst []byte, t *transaction) []byte {
	name := binary.AppendUvarint(nil, t.name.Number)
	return record.AppendPrepare(dst, t.id, append(name, t.name.Space...))
}

// appendStaged appends the record of the effect that t will have on an entry that it has locked.
func appendStaged(dst []byte, t *transaction, h held) []byte {
	en, l := h.k.At(h.s), h.k.locks[h.s]
	switch en.State {
	case changed:
		return record.AppendStageChange(dst, t.id, h.id, h.k.Row(h.s))
	case taken:
		return record.AppendStageTake(dst, t.id, h.id, l.putAt())
	}
	return record.AppendStage(dst, t.id, h.id, h.k.id, en.Expires, l.visible, h.k.Row(h.s))
}

// Decide is Commit for a transaction whose branches, in the given partitions, have prepared: it also records the
// decision, for the branches to ask.
func (e *Engine) Decide(now int64, id txn.ID, by call.Request, drafts []call.Draft,
	participants []txn.Address,
) call.Result {
	e.begin(now)
	t, err := e.transaction(id)
	if err != nil {
		return e.refused(err)
	}
	if len(participants) == 0 {
		return e.commitWith(t, by, drafts, nil)
	}
	return e.commitWith(t, by, drafts, func() {
		e.Log = record.AppendDecide(e.Log, t.id, appendAddresses(nil, participants))
		e.decisions[t.id] = slices.Clone(participants)
	})
}

func appendAddresses(dst []byte, as []txn.Address) []byte {
	for _, a := range as {
		dst = binary.AppendUvarint(dst, uint64(a.Partition))
		dst = append(binary.AppendUvarint(dst, uint64(len(a.Space))), a.Space...)
	}
	return dst
}

// decodeAddresses is the inverse of appendAddresses. What it returns does not alias b.
func decodeAddresses(b []byte) (as []txn.Address, err error) {
	for len(b) > 0 {
		p, w := binary.Uvarint(b)
		if w <= 0 || p >= txn.MaxPartitions {
			return nil, record.ErrCorrupt
		}
		b = b[w:]
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return nil, record.ErrCorrupt
		}
		as = append(as, txn.Address{Space: string(b[w : w+int(n)]), Partition: uint16(p)})
		b = b[w+int(n):]
	}
	return as, nil
}

// Forget removes a decision that all participants have carried out. It does nothing if there is none.
func (e *Engine) Forget(now int64, number uint64) call.Result {
	e.begin(now)
	if e.decisions[number] != nil {
		e.change()
		e.Log = record.AppendID(e.Log, record.Forget, number)
		delete(e.decisions, number)
	}
	return call.Result{Depends: e.lsn}
}

// Answers of Outcome.
const (
	OutcomeAborted   = 0
	OutcomeActive    = 1
	OutcomeCommitted = 2
)

// Outcome returns the outcome of a transaction whose home this is. An unknown transaction was aborted. Result: Count.
func (e *Engine) Outcome(now int64, number uint64) call.Result {
	e.begin(now)
	switch {
	case e.decisions[number] != nil:
		return call.Result{Count: OutcomeCommitted, Depends: e.lsn}
	case e.txns[number] != nil:
		return call.Result{Count: OutcomeActive}
	}
	return call.Result{Count: OutcomeAborted, Depends: e.lsn}
}

// Decided reports whether a transaction whose home this is was committed and is not forgotten.
func (e *Engine) Decided(number uint64) bool { return e.decisions[number] != nil }

// Prepared returns the prepared branches, in the order in which they were made.
func (e *Engine) Prepared() []txn.ID {
	var ids []txn.ID
	for _, t := range e.prepared() {
		ids = append(ids, t.name)
	}
	return ids
}

// NumPrepared returns the number of prepared branches.
func (e *Engine) NumPrepared() int { return len(e.doubtful) }

// prepared returns the prepared branches by number.
func (e *Engine) prepared() []*transaction {
	return slices.SortedFunc(maps.Keys(e.doubtful), func(a, b *transaction) int { return cmp.Compare(a.id, b.id) })
}

// Decisions returns the decisions that are not forgotten, in the order of the transactions.
func (e *Engine) Decisions() []Decision {
	var ds []Decision
	for _, number := range slices.Sorted(maps.Keys(e.decisions)) {
		ds = append(ds, Decision{number, slices.Clone(e.decisions[number])})
	}
	return ds
}

// applyPrepare creates a prepared branch, together with the records that follow it.
func (e *Engine) applyPrepare(r *record.Record) error {
	number, n := binary.Uvarint(r.Body)
	if n <= 0 {
		return record.ErrCorrupt
	}
	if e.txns[r.ID] != nil {
		return errPresent
	}
	t := &transaction{
		id: r.ID, name: txn.ID{Space: string(r.Body[n:]), Number: number}, expires: call.Forever,
		prepared: true,
	}
	e.txns[t.id] = t
	e.branches[t.name] = t.id
	e.doubtful[t] = struct{}{}
	return nil
}

// applyStaged applies one future effect of a prepared branch.
func (e *Engine) applyStaged(r *record.Record) error {
	t := e.txns[r.ID]
	if t == nil {
		return errAbsent
	}
	if r.Op == record.Stage {
		if r.Kind == 0 || int(r.Kind) > len(e.kinds) {
			return errKind
		}
		if _, ok := e.store.Find(r.Entry); ok {
			return errPresent
		}
		e.lastID = max(e.lastID, r.Entry)
		e.stage(t, e.kinds[r.Kind-1], r.Entry, r.Expires, r.Body).visible = r.Visible
		return nil
	}
	p, ok := e.store.Find(r.Entry)
	if !ok || e.kinds[p.Kind-1].At(p.Slot).State != free {
		return errAbsent
	}
	k := e.kinds[p.Kind-1]
	if r.Op == record.StageChange {
		e.changeUnder(t, held{k, p.Slot, r.Entry}, r.Body)
		return nil
	}
	e.seize(t, k, p.Slot)
	k.locks[p.Slot].put, k.locks[p.Slot].visible = r.Visible != 0, r.Visible
	return nil
}

// applySettle releases the locks of a prepared branch; if it was committed, its effects follow.
func (e *Engine) applySettle(r *record.Record) error {
	t := e.txns[r.ID]
	if t == nil {
		return errAbsent
	}
	delete(e.txns, t.id)
	delete(e.branches, t.name)
	delete(e.doubtful, t)
	e.undo(t, nil, record.Cancelled)
	return nil
}

// applyDecide applies a decision.
func (e *Engine) applyDecide(r *record.Record) error {
	as, err := decodeAddresses(r.Body)
	if err != nil {
		return err
	}
	e.decisions[r.ID] = as
	return nil
}
