package engine

import (
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Notify registers for an event for every matching entry that is written from now on. q must have passed Check; its Max, Order
// and Take do not matter. Result: Grants (one), Seq, the number before the first event. It fails with ErrInvalidArgument for a negative lease.
func (e *Engine) Notify(now int64, q *Query, on EventSet, lease int64) Result {
	e.begin(now)
	if lease < 0 {
		return failed(fmt.Errorf("%w: negative lease", ErrInvalidArgument))
	}
	lease = capped(lease, e.limits.RegistrationLease)
	e.change()
	id := e.nextID()
	expires := e.until(lease)
	e.Log = record.AppendRegister(e.Log, id, expires, appendTemplates(nil, q.Templates))
	e.register(id, q, expires)
	if expires <= e.now {
		e.unregister(e.registrations[id], record.Expired)
	}
	e.grants = append(e.grants, Grant{ID: id, Granted: lease})
	r := Result{Grants: e.grants, Depends: e.lsn}
	e.done(q.By, &r)
	return r
}

func (e *Engine) register(id uint64, q *Query, expires int64) {
	r := &registration{id: id, query: q, nodes: make([]node, len(q.Templates))}
	e.fileAll(r.nodes, q, nil, r)
	e.registrations[id] = r
	e.setRegistrationExpiry(r, expires)
}

// Registered returns the number of the last event of a registration; false if it has ended.
func (e *Engine) Registered(id uint64) (seq uint64, ok bool) {
	r := e.registrations[id]
	if r == nil || r.expires <= e.now {
		return 0, false
	}
	return r.seq, true
}

// notify counts and records an event of r.
func (e *Engine) notify(r *registration, k *kind, s slot) {
	order := k.entries.at(s).order
	if r.expires <= e.now || r.offered == order {
		return
	}
	r.offered = order
	v := k.view(e, s)
	e.Log = record.AppendNotify(e.Log, r.id, v.ID)
	r.seq++
	e.Events = append(e.Events, Event{Registration: r.id, Seq: r.seq, Entry: v})
}

func (e *Engine) setRegistrationExpiry(r *registration, expires int64) {
	r.expires = expires
	if expires == Forever {
		return
	}
	tick := expires >> tickShift
	if len(e.ending[tick]) == 0 {
		e.deadlines.push(deadline{tick: tick})
	}
	e.ending[tick] = append(e.ending[tick], r.id)
}

// expireRegistrations ends those whose lease ends in a tick that has passed; a renewed one is filed under a later tick too.
func (e *Engine) expireRegistrations(tick int64) {
	ids := e.ending[tick]
	delete(e.ending, tick)
	for _, id := range ids {
		if r := e.registrations[id]; r != nil && r.expires <= e.now {
			e.unregister(r, record.Expired)
		}
	}
}

// unregister ends and records the end of r.
func (e *Engine) unregister(r *registration, why record.Reason) {
	e.change()
	e.Log = record.AppendUnregister(e.Log, r.id, why)
	e.forget(r)
}

func (e *Engine) forget(r *registration) {
	for i := range r.nodes {
		r.nodes[i].unfile()
	}
	delete(e.registrations, r.id)
	e.Ended = append(e.Ended, r.id)
}

// appendTemplates encodes the templates of a registration for its record.
func appendTemplates(dst []byte, ts []Template) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ts)))
	for i := range ts {
		dst = binary.AppendUvarint(dst, uint64(ts[i].Kind))
		dst = template.AppendConds(dst, ts[i].Conds)
	}
	return dst
}

// decodeTemplates is the inverse of appendTemplates.
func (e *Engine) decodeTemplates(b []byte) ([]Template, error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)) {
		return nil, record.ErrCorrupt
	}
	b = b[w:]
	ts := make([]Template, n)
	for i := range ts {
		kind, w := binary.Uvarint(b)
		if w <= 0 || kind > uint64(len(e.kinds)) {
			return nil, record.ErrCorrupt
		}
		var err error
		if ts[i].Conds, b, err = template.DecodeConds(b[w:]); err != nil {
			return nil, fmt.Errorf("%w: %w", record.ErrCorrupt, err)
		}
		ts[i].Kind = KindID(kind)
		if err = e.checkTemplate(&ts[i]); err != nil {
			return nil, fmt.Errorf("%w: %w", record.ErrCorrupt, err)
		}
	}
	return ts, nil
}
