package partition

import "github.com/gospaces/gospaces/internal/engine"

// listener is what a partition knows of a registration: its events, and who gets them. Guarded by Partition.mu.
//
// As long as memory reaches back to the event that the caller gets next, events come from memory. Otherwise a reading of the log
// brings them, up to where memory begins.
type listener struct {
	id       uint64 // of the registration
	logged   bool   // its events are in the log
	overfull bool   // it is in Partition.overfull
	backlog  backlog

	caller  Caller   // nil: nobody listens
	next    uint64   // number of the event that the caller gets next
	full    bool     // the caller takes no more; another one may take its place
	reading *reading // brings the caller what memory does not hold; nil: none
	left    mark     // where the last reading left off

	ended bool // no more events will come; what there is has yet to be handed over
	end   LSN  // when that was
}

// listen makes c the one that events go to, from number next on.
func (l *listener) listen(c Caller, next uint64) {
	l.caller, l.next, l.full, l.reading = c, next, false, nil
}

// pump hands over what is there, and has the log read for what memory does not hold.
func (p *Partition) pump(l *listener) {
	for l.caller != nil && !l.full && l.reading == nil && !p.closed {
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

// offer hands over one event, or finds that the caller takes no more.
func (l *listener) offer(ev *Event, lsn LSN, durable bool) {
	if l.full = !l.caller.Event(ev, lsn, durable); !l.full {
		l.next = ev.Seq + 1
	}
}

// skipTo tells the caller that what comes before event number next is lost.
func (l *listener) skipTo(next uint64) {
	l.offer(&Event{Registration: l.id, Type: engine.Gap, Seq: next - 1}, 0, true)
}

// dismiss forgets a registration that has ended, and tells its caller.
func (p *Partition) dismiss(l *listener) {
	delete(p.listeners, l.id)
	c := l.caller
	l.caller = nil
	if e, ok := c.(Ender); ok {
		e.Ended(l.id, l.end, p.settled(c, l.end))
	}
}

// leave forgets the caller.
func (p *Partition) leave(l *listener) {
	l.caller, l.reading = nil, nil
	if l.ended {
		delete(p.listeners, l.id)
	}
}
