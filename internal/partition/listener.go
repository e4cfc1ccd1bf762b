package partition

import (
	"github.com/gospaces/gospaces/internal/call"
)

// listener is the partition's side of a registration: its events, and the caller that gets them. Guarded by
// Partition.mu.
//
// If the caller's next event is in memory, events come from memory. Otherwise a reading delivers them from the log, up
// to where memory begins.
type listener struct {
	id       uint64 // of the registration
	logged   bool   // its events are in the log
	overfull bool   // it is in Partition.overfull
	place    int    // in Partition.roll
	backlog  backlog

	caller  Caller    // nil: none
	older   *listener // of the same caller
	younger *listener
	next    uint64   // number of the caller's next event
	full    bool     // the caller takes no more; another may take its place
	reading *reading // delivers events that are not in memory; nil: none
	left    mark     // where the last reading stopped

	ended bool // no more events will come, but some are not delivered yet
	end   LSN  // when that was
}

// listen makes c the caller of l, for events from number next on.
func (p *Partition) listen(l *listener, c Caller, next uint64) {
	old := l.caller
	p.part(l)
	if d, ok := old.(Displacer); ok && old != c {
		d.Displaced(l.id)
	}
	l.caller, l.next, l.full = c, next, false
	if p.audience == nil {
		p.audience = map[Caller]*listener{}
	}
	if l.older = p.audience[c]; l.older != nil {
		l.older.younger = l
	}
	p.audience[c] = l
}

// part removes the caller of l, if any.
func (p *Partition) part(l *listener) {
	if l.caller == nil {
		return
	}
	if l.older != nil {
		l.older.younger = l.younger
	}
	switch {
	case l.younger != nil:
		l.younger.older = l.older
	case l.older != nil:
		p.audience[l.caller] = l.older
	default:
		delete(p.audience, l.caller)
	}
	l.caller, l.older, l.younger, l.reading = nil, nil, nil, nil
}

// forget removes a registration and its events.
func (p *Partition) forget(l *listener) {
	p.part(l)
	l.backlog.clear()
	if p.listeners[l.id] != l {
		return // partAll has removed it
	}
	delete(p.listeners, l.id)
	last := len(p.roll) - 1
	p.roll[l.place], p.roll[last].place = p.roll[last], l.place
	p.roll[last] = nil
	p.roll = p.roll[:last]
}

// walked is how many listeners are visited while the lock is held.
const walked = 512

// overListeners calls visit, with the lock held, for the next listeners of a walk. left is how many are not visited
// yet; less than 0 begins a walk. It returns how many are left then. Others may use the partition between two calls:
// the walk visits each listener that exists from its beginning to its end, some perhaps twice. It goes backwards, since
// the last listener of the roll, which was visited, takes the place of one that is forgotten.
func (p *Partition) overListeners(left int, visit func(l *listener)) int {
	if left < 0 {
		left = len(p.roll)
	}
	left = min(left, len(p.roll))
	end := max(left-walked, 0)
	for ; left > end; left-- {
		visit(p.roll[left-1])
	}
	return left
}

// pump delivers events from memory, and starts a reading for others.
func (p *Partition) pump(l *listener) {
	for l.caller != nil && !l.full && l.reading == nil && p.role != closed {
		switch k := l.backlog.at(l.next); {
		case k != nil:
			l.offer(&k.Event, k.lsn, p.settled(l.caller, k.lsn))
		case l.next > l.backlog.last && l.ended:
			p.dismiss(l)
		case l.next > l.backlog.last:
			return
		default:
			p.catchUp(l)
		}
	}
}

// offer delivers one event, or finds that the caller takes no more.
func (l *listener) offer(ev *Event, lsn LSN, durable bool) {
	if l.full = !l.caller.Event(ev, lsn, durable); !l.full {
		l.next = ev.Seq + 1
	}
}

// skipTo tells the caller that events before number next are lost.
func (l *listener) skipTo(next uint64) {
	why := call.GapOverflow
	if l.logged {
		why = call.GapPurged
	}
	l.offer(&Event{Registration: l.id, Type: call.Gap, Cause: why, Seq: next - 1}, 0, true)
}

// dismiss removes a registration that has ended, and tells its caller.
func (p *Partition) dismiss(l *listener) {
	c := l.caller
	p.forget(l)
	if e, ok := c.(Ender); ok {
		e.Ended(l.id, l.end, p.settled(c, l.end))
	}
}

// leave removes the caller.
func (p *Partition) leave(l *listener) {
	p.part(l)
	if l.ended {
		p.forget(l)
	}
}
