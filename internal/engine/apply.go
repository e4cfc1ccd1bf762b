package engine

import (
	"bytes"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Apply takes over the decisions of a primary: the records of one group, in the order of the log. It needs no clock, serves nobody and
// writes nothing to Log; Events and Ended tell what it saw. It returns an error that wraps record.ErrCorrupt for records that do not
// fit the state; the engine is of no use after it.
func (e *Engine) Apply(records []byte) error {
	e.begin(0)
	e.change()
	var r record.Record
	for len(records) > 0 {
		rest, err := record.Next(records, &r)
		if err != nil {
			return err
		}
		if err := e.apply(&r); err != nil {
			return fmt.Errorf("%w: operation %d on %d: %w", record.ErrCorrupt, r.Op, r.ID, err)
		}
		records = rest
		e.release()
	}
	return nil
}

// apply takes over one record.
func (e *Engine) apply(r *record.Record) error {
	switch r.Op {
	case record.Kind:
		return e.applyKind(r)
	case record.Put:
		return e.applyPut(r)
	case record.Remove:
		p, ok := e.places.get(r.ID)
		if !ok {
			return errAbsent
		}
		e.kinds[p.kind-1].delete(e, p.slot)
	case record.Renew:
		return e.applyRenew(r)
	case record.Register:
		return e.applyRegister(r)
	case record.Unregister:
		reg := e.registrations[r.ID]
		if reg == nil {
			return errAbsent
		}
		e.forget(reg)
	case record.Notify:
		return e.applyNotify(r)
	case record.Session:
		return e.applySession(r)
	case record.Take, record.TakeMore:
		p, ok := e.places.get(r.Entry)
		if !ok {
			return errAbsent
		}
		k := e.kinds[p.kind-1]
		if err := e.applyTake(r, k.view(e, p.slot)); err != nil {
			return err
		}
		k.delete(e, p.slot)
	case record.EndSession, record.Wrote, record.Done, record.Received:
		return e.applyOutcome(r)
	}
	return nil
}

var (
	errAbsent  = fmt.Errorf("there is no such entry or registration")
	errPresent = fmt.Errorf("there is such an entry or registration already")
	errKind    = fmt.Errorf("the kind's number is out of order")
)

func (e *Engine) applyKind(r *record.Record) error {
	s, err := template.DecodeSchema(r.Body)
	if err != nil {
		return err
	}
	if r.Kind == 0 || int(r.Kind) > len(e.kinds)+1 {
		return errKind
	}
	e.setKind(r.Kind, s)
	return nil
}

func (e *Engine) applyPut(r *record.Record) error {
	if r.Kind == 0 || int(r.Kind) > len(e.kinds) {
		return errKind
	}
	if _, ok := e.places.get(r.ID); ok {
		return errPresent
	}
	e.lastID = max(e.lastID, r.ID)
	e.kinds[r.Kind-1].insert(e, r.ID, r.Expires, r.Body)
	return nil
}

func (e *Engine) applyRenew(r *record.Record) error {
	if reg := e.registrations[r.ID]; reg != nil {
		e.setRegistrationExpiry(reg, r.Expires)
		return nil
	}
	p, ok := e.places.get(r.ID)
	if !ok {
		return errAbsent
	}
	e.kinds[p.kind-1].setExpiry(e, p.slot, r.Expires)
	return nil
}

func (e *Engine) applyRegister(r *record.Record) error {
	ts, err := e.decodeTemplates(bytes.Clone(r.Body))
	if err != nil {
		return err
	}
	e.lastID = max(e.lastID, r.ID)
	e.register(r.ID, &Query{Templates: ts, Max: 1}, r.Expires)
	return nil
}

func (e *Engine) applyNotify(r *record.Record) error {
	reg := e.registrations[r.ID]
	p, ok := e.places.get(r.Entry)
	if reg == nil || !ok {
		return errAbsent
	}
	k := e.kinds[p.kind-1]
	reg.seq++
	reg.offered = k.entries.at(p.slot).order
	v := k.view(e, p.slot)
	v.Row = bytes.Clone(v.Row)
	e.Events = append(e.Events, Event{Registration: r.ID, Seq: reg.seq, Entry: v})
	return nil
}
