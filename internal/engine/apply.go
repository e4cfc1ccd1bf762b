package engine

import (
	"bytes"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Apply applies the decisions of a primary: the records of one group, in log order. It needs no clock, grants no waits
// and writes nothing to Log; Events and Ended report what happened. It returns an error that wraps record.ErrCorrupt
// for records that do not fit the state; the engine must not be used after that.
func (e *Engine) Apply(records []byte) error {
	e.begin(0)
	e.change()
	e.store.Following = true
	defer func() { e.store.Following = false }()
	var r record.Record
	for len(records) > 0 {
		rest, err := record.Next(records, &r)
		if err != nil {
			return err
		}
		if e.seed != nil || r.Op == record.Counters {
			err = e.applySeed(&r, records[:len(records)-len(rest)])
		} else {
			err = e.apply(&r)
		}
		if err != nil {
			return fmt.Errorf("%w: operation %d on %d: %w", record.ErrCorrupt, r.Op, r.ID, err)
		}
		records = rest
		e.store.Collect()
	}
	return nil
}

// apply applies one record.
func (e *Engine) apply(r *record.Record) error {
	switch r.Op {
	case record.Kind:
		return e.applyKind(r)
	case record.Index, record.DropIndex:
		return e.applyIndex(r)
	case record.Drop:
		return e.applyDrop(r)
	case record.Put, record.PutLater:
		return e.applyPut(r)
	case record.Change, record.Defer, record.Reveal:
		return e.applyChange(r)
	case record.Remove:
		return e.applyRemove(r)
	case record.Renew:
		return e.applyRenew(r)
	case record.Register, record.Watch:
		return e.applyRegister(r)
	case record.Unregister:
		return e.applyUnregister(r)
	case record.Notify:
		return e.applyNotify(r)
	case record.Tell:
		return e.applyTell(r)
	case record.Gap:
		return e.applyGap(r)
	case record.Reserve:
		e.lastID = max(e.lastID, e.own(r.ID))
		e.reserved, e.reservedAt = e.lastID, e.lsn
	case record.TxnPage:
		return e.applyTxnPage(r)
	case record.Lost:
		e.leaveOut(max(e.lastID, e.reserved) + Unheard)
	case record.Origin:
		e.leaveOut(e.own(r.ID))
	case record.Hold:
		return e.applyHold(r)
	case record.Volatile:
		return e.applyVolatile(r)
	case record.Release:
		return e.applyRelease(r)
	case record.Death:
		return e.applyDeath(r)
	case record.Prepare:
		return e.applyPrepare(r)
	case record.StageTake, record.Stage, record.StageChange:
		return e.applyStaged(r)
	case record.Settle:
		return e.applySettle(r)
	case record.Decide:
		return e.applyDecide(r)
	case record.Forget:
		delete(e.decisions, r.ID)
	case record.Committed:
		if !e.noteCommitted(r.ID) {
			return errAbsent
		}
	case record.Session:
		return e.applySession(r)
	case record.Take, record.TakeMore:
		return e.applyTaken(r)
	case record.EndSession, record.Wrote, record.Done, record.Received:
		return e.applyOutcome(r)
	case record.Audit:
		e.Audit = true
	case record.Checksum:
		e.Checksums = append(e.Checksums, Checked{r.Number, r.Count})
	}
	return nil // Together and Noop do not change the state
}

func (e *Engine) applyRemove(r *record.Record) error {
	p, ok := e.store.Find(r.ID)
	if !ok {
		return errAbsent
	}
	k := e.kinds[p.Kind-1]
	e.keepImage(k, p.Slot)
	e.unhold(k, p.Slot)
	k.delete(e, p.Slot)
	return nil
}

func (e *Engine) applyUnregister(r *record.Record) error {
	reg := e.registrations[r.ID]
	if reg == nil {
		return errAbsent
	}
	e.forget(reg)
	return nil
}

func (e *Engine) applyTxnPage(r *record.Record) error {
	if r.ID < e.fates.first {
		return errPlace
	}
	e.beginTxnPage(r.ID)
	return nil
}

// applyTaken notes that a call has taken an entry, and removes it.
func (e *Engine) applyTaken(r *record.Record) error {
	p, ok := e.store.Find(r.Entry)
	if !ok {
		return errAbsent
	}
	k := e.kinds[p.Kind-1]
	if err := e.applyTake(r, k.view(e, p.Slot)); err != nil {
		return err
	}
	k.delete(e, p.Slot)
	return nil
}

// own returns an identity of this partition: an identity without a partition comes from the log, which does not know
// its own.
func (e *Engine) own(id uint64) uint64 {
	if txn.PartitionOf(id) == 0 {
		id += txn.IDBase(e.partition)
	}
	return id
}

var (
	errAbsent  = fmt.Errorf("there is no such entry or registration")
	errPresent = fmt.Errorf("there is such an entry or registration already")
	errState   = fmt.Errorf("the entry is in another state")
	errKind    = fmt.Errorf("the kind's number is out of order")
)

func (e *Engine) applyKind(r *record.Record) error {
	s, err := template.DecodeSchema(r.Body)
	if err != nil {
		return err
	}
	if r.Kind == 0 || int(r.Kind) > len(e.kinds)+1 || int(r.Kind) <= len(e.kinds) && e.kinds[r.Kind-1].dropped {
		return errKind
	}
	e.setKind(r.Kind, s)
	return nil
}

func (e *Engine) applyDrop(r *record.Record) error {
	if e.checkKind(r.Kind) != nil || e.kinds[r.Kind-1].Used() > 0 {
		return errKind
	}
	e.dropKind(e.kinds[r.Kind-1])
	return nil
}

func (e *Engine) applyPut(r *record.Record) error {
	if e.checkKind(r.Kind) != nil {
		return errKind
	}
	if _, ok := e.store.Find(r.ID); ok {
		return errPresent
	}
	e.lastID = max(e.lastID, r.ID)
	if r.Op == record.PutLater {
		e.putLater(e.kinds[r.Kind-1], r.ID, r.Expires, r.Visible, r.Body)
	} else {
		e.kinds[r.Kind-1].insert(e, r.ID, r.Expires, r.Body)
	}
	return nil
}

// applyChange applies a change of an entry that has no lock as far as the log knows. Defer is the exception: the holder
// of the entry causes it.
func (e *Engine) applyChange(r *record.Record) error {
	p, ok := e.store.Find(r.ID)
	if !ok {
		return errAbsent
	}
	k, s := e.kinds[p.Kind-1], p.Slot
	e.keepImage(k, s)
	if r.Op == record.Defer && k.At(s).State == taken && k.locks[s].logged {
		e.unhold(k, s)
		k.Free.Insert(s)
	}
	if want := k.At(s).State; want != free && r.Op != record.Reveal || want != delayed && r.Op == record.Reveal {
		return errState
	}
	switch r.Op {
	case record.Change:
		k.replace(e, s, r.Body)
	case record.Reveal:
		e.appear(k, s)
	case record.Defer:
		k.Free.Remove(s)
		k.At(s).Attempts = r.Tries
		delete(k.deaths, s)
		k.At(s).LSN, k.changed, k.removed = e.lsn, e.lsn, e.lsn
		e.delay(held{k, s, r.ID}, r.Visible)
	}
	return nil
}

func (e *Engine) applyRenew(r *record.Record) error {
	if reg := e.registrations[r.ID]; reg != nil {
		e.setRegistrationExpiry(reg, r.Expires)
		return nil
	}
	if t := e.txns[r.ID]; t != nil {
		e.setTxnExpiry(t, r.Expires)
		return nil
	}
	p, ok := e.store.Find(r.ID)
	if !ok {
		return errAbsent
	}
	e.kinds[p.Kind-1].setExpiry(e, p.Slot, r.Expires)
	return nil
}

func (e *Engine) applyRegister(r *record.Record) error {
	ts, err := e.decodeTemplates(bytes.Clone(r.Body))
	if err != nil {
		return err
	}
	e.lastID = max(e.lastID, r.ID)
	on := call.Events(call.Written)
	if r.Op == record.Watch || r.Op == record.Listener {
		on = call.EventSet(r.On)
	}
	e.register(r.ID, &call.Query{Templates: ts, Max: 1}, on, r.Expires)
	return nil
}

func (e *Engine) applyNotify(r *record.Record) error {
	reg := e.registrations[r.ID]
	p, ok := e.store.Find(r.Entry)
	if reg == nil || !ok {
		return errAbsent
	}
	k := e.kinds[p.Kind-1]
	e.keepRegistration(reg)
	reg.seq++
	v := k.view(e, p.Slot)
	v.Row = bytes.Clone(v.Row)
	e.Events = append(e.Events, call.Event{Registration: r.ID, Seq: reg.seq, Type: call.Written, Entry: v})
	return nil
}

func (e *Engine) applyTell(r *record.Record) error {
	reg := e.registrations[r.ID]
	if reg == nil || r.Kind == 0 || int(r.Kind) > len(e.kinds) {
		return errAbsent
	}
	e.keepRegistration(reg)
	reg.seq++
	v := call.View{ID: r.Entry, Kind: r.Kind, Row: bytes.Clone(r.Body), Version: r.Version, Attempts: r.Tries}
	e.Events = append(e.Events, call.Event{Registration: r.ID, Seq: reg.seq, Type: call.EventType(r.Type), Entry: v})
	return nil
}

func (e *Engine) applyGap(r *record.Record) error {
	reg := e.registrations[r.ID]
	if reg == nil {
		return errAbsent
	}
	e.keepRegistration(reg)
	reg.seq++
	e.Events = append(e.Events,
		call.Event{Registration: r.ID, Seq: reg.seq, Type: call.Gap, Cause: call.GapCause(r.Type)})
	return nil
}
