package partition

import (
	"bytes"
	"slices"

	"github.com/gospaces/gospaces/internal/engine"
)

// listener keeps the events of one registration until they are acknowledged, for callers that come back.
type listener struct {
	caller Caller // nil while nobody listens
	kept   []kept // rising without gaps
	bytes  int    // of rows in kept
}

// kept is an event with its own copy of the row.
type kept struct {
	Event
	lsn LSN
}

// Notify registers c for events. Result: Grants (one), Seq. Events go to c until it is Gone.
func (p *Partition) Notify(c Caller, call uint64, q *engine.Query, on engine.EventSet, lease int64) {
	p.query(c, call, q, func(now int64) engine.Result {
		r := p.e.Notify(now, q, on, lease)
		if r.Err == nil {
			p.listener(r.Grants[0].ID).caller = c
		}
		return r
	})
}

// Attach makes c the listener of an existing registration and hands over again, after its reply, what is kept after event number
// after. If less is kept than there was, the first Seq is higher than after+1. Result: Seq, the number of the last event; or ErrLeaseEnded.
func (p *Partition) Attach(c Caller, call uint64, registration, after uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		c.Reply(call, &engine.Result{Err: p.err}, 0, true)
		return
	}
	p.e.Expire(now())
	p.finish()
	seq, ok := p.e.Registered(registration)
	r := engine.Result{Seq: seq, Depends: p.e.LSN()}
	if !ok {
		r.Err = engine.ErrLeaseEnded
	}
	p.reply(c, call, &r)
	if !ok {
		return
	}
	l := p.listener(registration)
	l.caller = c
	for i := range l.kept {
		if k := &l.kept[i]; k.Seq > after {
			c.Event(&k.Event, k.lsn, p.settled(c, k.lsn))
		}
	}
}

// Acknowledge lets the partition forget the events of a registration up to seq.
func (p *Partition) Acknowledge(registration, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[registration]; l != nil {
		n := 0
		for n < len(l.kept) && l.kept[n].Seq <= seq {
			n++
		}
		l.drop(n)
	}
}

func (p *Partition) listener(registration uint64) *listener {
	l := p.listeners[registration]
	if l == nil {
		if p.listeners == nil {
			p.listeners = map[uint64]*listener{}
		}
		l = new(listener)
		p.listeners[registration] = l
	}
	return l
}

// deliver keeps the engine's new events and hands them to whoever listens.
func (p *Partition) deliver() {
	p.keepEvents()
	lsn := LSN(p.e.LSN())
	for i := range p.e.Events {
		ev := p.e.Events[i]
		if l := p.listeners[ev.Registration]; l != nil && l.caller != nil {
			l.caller.Event(&ev, lsn, p.settled(l.caller, lsn))
		}
	}
}

// keepEvents adds the engine's new events to their registrations, and forgets registrations that have ended.
func (p *Partition) keepEvents() {
	for _, id := range p.e.Ended {
		p.endListener(id)
	}
	for i := range p.e.Events {
		ev := &p.e.Events[i]
		if slices.Contains(p.e.Ended, ev.Registration) {
			continue
		}
		l := p.listener(ev.Registration)
		l.keep(kept{*ev, LSN(p.e.LSN())}, &p.cfg)
	}
}

// endListener forgets a registration that has ended.
func (p *Partition) endListener(id uint64) {
	l := p.listeners[id]
	if l == nil {
		return
	}
	delete(p.listeners, id)
	if c, ok := l.caller.(Ender); ok {
		lsn := LSN(p.e.LSN())
		c.Ended(id, lsn, p.settled(l.caller, lsn))
	}
}

// keep adds an event, and drops the oldest beyond the bounds.
func (l *listener) keep(k kept, cfg *Config) {
	k.Entry.Row = bytes.Clone(k.Entry.Row)
	l.kept = append(l.kept, k)
	l.bytes += len(k.Entry.Row)
	for len(l.kept) > cfg.EventBacklog || l.bytes > cfg.EventBytes && len(l.kept) > 1 {
		l.drop(1)
	}
}

// drop forgets the first n events.
func (l *listener) drop(n int) {
	l.bytes -= sizeOf(l.kept[:n])
	clear(l.kept[:n])
	if l.kept = l.kept[n:]; len(l.kept) == 0 {
		l.kept = nil
	}
}

func sizeOf(ks []kept) (n int) {
	for i := range ks {
		n += len(ks[i].Entry.Row)
	}
	return n
}
