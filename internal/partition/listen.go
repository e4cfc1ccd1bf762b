package partition

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Notify registers c for events of the types on; the zero set means Written. Result: Grants (one), Seq. Events go to c
// until it is Gone, or takes no more. A registration under a transaction ends with it, and is not in the log.
func (p *Partition) Notify(c Caller, callID uint64, q *call.Query, on call.EventSet, lease int64) {
	p.query(c, callID, q, func(now int64) call.Result {
		on = cmp.Or(on, call.Events(call.Written))
		if !on.Valid() {
			return call.Result{Err: fmt.Errorf("%w: unknown type of event", call.ErrInvalidArgument)}
		}
		if q.Txn.IsZero() {
			if err := p.admit(); err != nil {
				return call.Result{Err: err}
			}
		}
		if err := p.roomForRegistration(); err != nil {
			return call.Result{Err: err}
		}
		r := p.e.Notify(now, q, on, lease)
		if r.Err == nil {
			l := p.listener(r.Grants[0].ID)
			l.logged = p.cfg.Log != nil && q.Txn == txn.ID{}
			l.backlog.last = r.Seq
			p.listen(l, c, r.Seq+1)
		}
		return r
	})
}

// Attach makes c, a Caller without any other registration, the listener of an existing registration, and delivers the
// events after event number after: from memory, or else from the log; events that the log has lost become an event of
// type Gap. Result: Seq, the number of the last event; or ErrLeaseEnded. A registration that has ended, but has events
// that the previous listener did not take, exists until it has delivered them.
func (p *Partition) Attach(c Caller, callID uint64, registration, after uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.refuse(c, callID, p.refusal())
		return
	}
	p.e.Expire(p.clock.now())
	p.finish()
	l := p.attachable(registration)
	r := call.Result{Depends: p.e.LSN()}
	if l == nil {
		r.Err = call.ErrLeaseEnded
		p.reply(c, callID, &r)
		return
	}
	r.Seq = l.backlog.last
	p.reply(c, callID, &r)
	p.listen(l, c, after+1)
	p.pump(l)
}

// attachable returns the listener of a registration that has not ended, or has events left to deliver; otherwise nil.
func (p *Partition) attachable(registration uint64) *listener {
	l := p.listeners[registration]
	if l != nil && l.ended {
		return l
	}
	seq, ok := p.e.Registered(registration)
	if !ok {
		return nil
	}
	if l == nil {
		l = p.listener(registration)
		l.backlog.last = seq
	}
	return l
}

// Acknowledge lets the partition drop the events of a registration up to seq. A registration that has ended is removed
// if seq is beyond its last event, so a caller that does not want the rest need not take it.
func (p *Partition) Acknowledge(registration, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.listeners[registration]
	if l == nil {
		return
	}
	l.backlog.acknowledge(seq)
	if l.ended && seq > l.backlog.last {
		p.forget(l)
	}
}

// listener returns the listener of a registration, and creates it if necessary.
func (p *Partition) listener(registration uint64) *listener {
	l := p.listeners[registration]
	if l == nil {
		if p.listeners == nil {
			p.listeners = map[uint64]*listener{}
		}
		l = &listener{id: registration, logged: p.cfg.Log != nil, place: len(p.roll)}
		l.backlog.all = &p.events
		p.listeners[registration] = l
		p.roll = append(p.roll, l)
	}
	return l
}

// deliver keeps the engine's new events, delivers them to their listeners, and ends the registrations that have ended.
func (p *Partition) deliver() {
	lsn := LSN(p.e.LSN())
	var group *group
	if p.commits.logged && len(p.e.Events) > 0 {
		group = p.commits.openGroup()
	}
	var last Event // with a copy of its row; often several registrations have events about one entry
	for i := range p.e.Events {
		ev := p.e.Events[i]
		if ev.Entry.ID == last.Entry.ID && bytes.Equal(ev.Entry.Row, last.Entry.Row) {
			ev.Entry.Row = last.Entry.Row
		} else {
			ev.Entry.Row = bytes.Clone(ev.Entry.Row)
			last = ev
		}
		l := p.listener(ev.Registration)
		k := kept{Event: ev, lsn: lsn}
		if l.logged {
			k.group = group
		}
		l.backlog.add(k)
		p.trim(l)
		p.pump(l)
	}
	for _, id := range p.e.Ended {
		p.endListener(id, lsn)
	}
}

// replayed records the events of a group in the log: they are read again when a listener needs them.
func (p *Partition) replayed(position uint64) {
	for i := range p.e.Events {
		ev := &p.e.Events[i]
		p.listener(ev.Registration).backlog.skip(ev.Seq, position)
	}
	for _, id := range p.e.Ended {
		if l := p.listeners[id]; l != nil {
			p.forget(l)
		}
	}
}

// endListener ends a registration for its listener, at once or as soon as all events are delivered.
func (p *Partition) endListener(id uint64, lsn LSN) {
	l := p.listeners[id]
	if l == nil {
		return
	}
	l.ended, l.end = true, lsn
	if l.caller == nil {
		p.forget(l)
		return
	}
	p.pump(l)
}

// trim drops events beyond the limits. Events that are not in the log yet stay until they are, since they could not be
// read from there.
func (p *Partition) trim(l *listener) {
	if !l.backlog.trim(&p.cfg) && !l.overfull {
		l.overfull = true
		p.overfull = append(p.overfull, l)
	}
}

// trimOverfull trims the listeners that have waited for the log.
func (p *Partition) trimOverfull() {
	waiting := p.overfull
	p.overfull = nil
	for _, l := range waiting {
		l.overfull = false
		p.trim(l)
	}
}
