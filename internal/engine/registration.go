package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Notify registers for events of the types on about matching entries, from now on. Several events of an entry at one
// instant are one event, of the lowest number. Under a transaction the registration also sees entries written under it,
// at once, and ends with it. q must have passed Check; its Max, Order and Take are ignored. Result: Grants (one), Seq,
// the number before the first event. It fails with ErrInvalidArgument for a negative lease, and ErrTxnEnded.
func (e *Engine) Notify(now int64, q *call.Query, on call.EventSet, lease int64) call.Result {
	e.begin(now)
	if lease < 0 {
		return failed(fmt.Errorf("%w: negative lease", call.ErrInvalidArgument))
	}
	t, err := e.under(q.Txn)
	if err != nil {
		return e.refused(err)
	}
	expires := e.until(capped(lease, e.limits.RegistrationLease))
	id := e.newRegistration(t, q, on, expires)
	if expires <= e.now {
		e.unregister(e.registrations[id], record.Expired)
	}
	e.grants = append(e.grants, call.Grant{ID: id, Granted: e.granted(expires)})
	r := call.Result{Grants: e.grants, Depends: e.lsn}
	if t == nil {
		e.done(q.By, &r)
	}
	return r
}

// newRegistration creates a registration and records it. A registration under a transaction is not recorded: it does
// not survive a crash.
func (e *Engine) newRegistration(t *transaction, q *call.Query, on call.EventSet, expires int64) uint64 {
	if t != nil {
		r := e.register(e.fleetingID(), q, on, expires)
		r.txn = t
		t.registrations = append(t.registrations, r)
		e.spoil(t)
		return r.id
	}
	e.change()
	id := e.nextID()
	templates := appendTemplates(nil, q.Templates)
	if on == call.Events(call.Written) {
		e.Log = record.AppendRegister(e.Log, id, expires, templates)
	} else {
		e.Log = record.AppendWatch(e.Log, id, uint64(on), expires, templates)
	}
	e.register(id, q, on, expires)
	return id
}

func (e *Engine) register(id uint64, q *call.Query, on call.EventSet, expires int64) *registration {
	r := &registration{id: id, query: q, on: on, nodes: make([]node, len(q.Templates)), imaged: e.images}
	e.fileAll(r.nodes, q, nil, r)
	e.registrations[id] = r
	e.enrolled.add(r)
	e.watched += int64(q.Weight())
	e.want(on, 1)
	e.setRegistrationExpiry(r, expires)
	return r
}

func (r *registration) place() *int { return &r.at }

// want adds n to the number of registrations for each type of event.
func (e *Engine) want(on call.EventSet, n int) {
	for t := range call.EventType(len(e.wanted)) {
		if on.Has(t) {
			e.wanted[t] += n
		}
	}
}

// Registrations returns the number of the last event of every registration that the log knows, by its identity.
func (e *Engine) Registrations() map[uint64]uint64 {
	last := make(map[uint64]uint64, len(e.registrations))
	for id, r := range e.registrations {
		if r.txn == nil {
			last[id] = r.seq
		}
	}
	return last
}

// Registered returns the number of the last event of a registration; false if it has ended.
func (e *Engine) Registered(id uint64) (seq uint64, ok bool) {
	r := e.registrations[id]
	if r == nil || r.expires <= e.now {
		return 0, false
	}
	return r.seq, true
}

// notify counts and records an event of r about the entry v, if r is for one of the types that happened.
func (e *Engine) notify(r *registration, v call.View, happened call.EventSet) {
	what := (r.on & happened).First()
	if what == 0 || r.expires <= e.now || r.offered == e.offers {
		return
	}
	r.offered = e.offers
	if r.txn == nil {
		e.change() // the end of a lock alone is no change
	}
	switch {
	case r.txn != nil:
	case what == call.Written && !e.revealing: // its row is in this group
		e.Log = record.AppendNotify(e.Log, r.id, v.ID)
	default:
		e.Log = record.AppendTell(e.Log, r.id, byte(what), v.ID, v.Kind, v.Version, v.Attempts, v.Row)
	}
	e.keepRegistration(r)
	r.seq++
	e.Events = append(e.Events, call.Event{Registration: r.id, Seq: r.seq, Type: what, Entry: v})
}

// Restarted ends the transactions that do not survive a restart, and sends registrations for Visible and Available a
// Gap event each: the entries that the transactions had locked when the log ended are not all known. The caller must
// have applied the log, and calls Restarted before the engine serves.
func (e *Engine) Restarted(now int64) {
	e.outlast()
	e.begin(now)
	e.endVolatile()
	for _, id := range slices.Sorted(maps.Keys(e.registrations)) {
		r := e.registrations[id]
		if r.on&call.Events(call.Visible, call.Available) == 0 || r.expires <= e.now {
			continue
		}
		e.change()
		e.Log = record.AppendGap(e.Log, id, byte(call.GapRestart))
		e.keepRegistration(r)
		r.seq++
		e.Events = append(e.Events, call.Event{Registration: id, Seq: r.seq, Type: call.Gap, Cause: call.GapRestart})
	}
}

// setRegistrationExpiry moves the end of r. If r is filed under an earlier tick, it is filed again only when that tick
// comes, so frequent renewals take no memory.
func (e *Engine) setRegistrationExpiry(r *registration, expires int64) {
	e.keepRegistration(r)
	r.expires = expires
	tick := expires >> tickShift
	if expires == call.Forever || r.filed != 0 && r.filed <= tick {
		return
	}
	r.filed = tick
	e.endAt(r.id, expires)
}

// unregister ends r and records its end.
func (e *Engine) unregister(r *registration, why record.Reason) {
	if r.txn == nil {
		e.change()
		e.Log = record.AppendUnregister(e.Log, r.id, why)
	}
	e.forget(r)
}

func (e *Engine) forget(r *registration) {
	e.keepRegistration(r)
	e.unfileAll(r.nodes)
	delete(e.registrations, r.id)
	e.enrolled.remove(r)
	e.watched -= int64(r.query.Weight())
	e.want(r.on, -1)
	e.Ended = append(e.Ended, r.id)
}

// appendTemplates encodes the templates of a registration for its record: the number of the kind, or nowhere followed
// by the name of the kind and the fields; then the conditions.
func appendTemplates(dst []byte, ts []call.Template) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ts)))
	for i := range ts {
		if n := ts[i].Named; n != nil {
			dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(nowhere)), uint64(len(n.Kind)))
			dst = template.AppendFields(append(dst, n.Kind...), n.Fields)
			dst = template.AppendConds(dst, n.Conds)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(ts[i].Kind))
		dst = template.AppendConds(dst, ts[i].Conds)
	}
	return dst
}

// decodeTemplates is the inverse of appendTemplates.
func (e *Engine) decodeTemplates(b []byte) ([]call.Template, error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)) {
		return nil, record.ErrCorrupt
	}
	b = b[w:]
	var ts []call.Template // grows with the input
	for range n {
		var t call.Template
		var err error
		if t, b, err = e.decodeTemplate(b); err != nil {
			return nil, fmt.Errorf("%w: %w", record.ErrCorrupt, err)
		}
		ts = append(ts, t)
	}
	return ts, nil
}

// decodeTemplate decodes one template and returns the rest of b.
func (e *Engine) decodeTemplate(b []byte) (t call.Template, rest []byte, err error) {
	kind, w := binary.Uvarint(b)
	if w <= 0 || kind > uint64(nowhere) {
		return t, nil, errShort
	}
	if t.Kind = call.KindID(kind); t.Kind == nowhere {
		return e.decodeNamed(b[w:])
	}
	if t.Conds, rest, err = template.DecodeConds(b[w:]); err != nil {
		return t, nil, err
	}
	return t, rest, e.checkTemplate(nil, &t)
}

// decodeNamed decodes the part after nowhere.
func (e *Engine) decodeNamed(b []byte) (t call.Template, rest []byte, err error) {
	size, w := binary.Uvarint(b)
	if w <= 0 || size > uint64(len(b)-w) {
		return t, nil, errShort
	}
	n := &call.Named{}
	n.Kind, b = string(b[w:w+int(size)]), b[w+int(size):]
	if n.Fields, b, err = template.DecodeFields(b, template.MaxFields); err != nil {
		return t, nil, err
	}
	if n.Conds, rest, err = template.DecodeConds(b); err != nil {
		return t, nil, err
	}
	if err := template.CheckNamed(&n.Template, nil); err != nil {
		return t, nil, err
	}
	t.Named = n
	e.bindListener(&t)
	return t, rest, nil
}
