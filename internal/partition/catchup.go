package partition

import (
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// reading delivers events that are in the log and no longer in memory to a listener. It runs in its own goroutine,
// without the partition's lock.
type reading struct {
	l      *listener
	caller Caller
	at     mark   // where to continue
	next   uint64 // number of the caller's next event
	quota  int    // bytes of log that it may still read in this turn
	lossy  bool   // events between next and at are lost
}

const (
	// readings is the maximum number of concurrent readings of one log; others wait for their turn.
	readings = 2
	// readingQuota is the number of bytes that a reading reads in one turn. If the log grows meanwhile it pauses between
	// turns: the log's server handles reads and writes one after the other, and writes come first.
	readingQuota = 1 << 20
	// retryReading is the pause after the log could not be read.
	retryReading = time.Second
)

// Reasons to stop a reading, other than errors of the log.
var (
	errFull   = errors.New("partition: the listener takes no more")
	errJoined = errors.New("partition: memory holds what follows")
	errTurn   = errors.New("partition: others wait to read")
	errStale  = errors.New("partition: this reading is no longer needed")
)

// catchUp starts reading what a listener lacks, or sends it a gap.
func (p *Partition) catchUp(l *listener) {
	at, ok := l.readable()
	if !ok {
		l.skipTo(l.backlog.begin())
		return
	}
	r := &reading{l: l, caller: l.caller, at: at, next: l.next}
	l.reading = r
	p.done.Go(func() { p.read(r) })
}

// readable returns the place in the log to look for the listener's next event, or the first later one that may be
// there.
func (l *listener) readable() (at mark, ok bool) {
	if !l.logged {
		return mark{}, false
	}
	marks := &l.backlog.marks
	if at, ok = marks.before(l.next); !ok {
		return marks.first()
	}
	if l.left.seq <= l.next && l.left.seq > at.seq {
		return l.left, true
	}
	return at, true
}

// read reads the log for r until its listener can continue from memory.
func (p *Partition) read(r *reading) {
	for {
		select {
		case p.turns <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		r.quota = readingQuota
		began, to := time.Now(), p.Position()
		err := p.cfg.Log.Read(p.ctx, r.at.position, to, func(g record.Group) error { return p.handOver(r, g) })
		<-p.turns
		if !p.goesOn(r, to, err) {
			return
		}
		if p.Position() > to {
			p.rest(time.Since(began))
		}
	}
}

// rest waits. It returns false if the partition is closed meanwhile.
func (p *Partition) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// current reports whether r's listener still waits for it.
func (p *Partition) current(r *reading) bool {
	return p.listeners[r.l.id] == r.l && r.l.reading == r
}

// goesOn handles the end of a turn of r with err; nil means that everything up to a position was read. It reports
// whether r gets another turn.
func (p *Partition) goesOn(r *reading, to uint64, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.current(r) || p.ctx.Err() != nil {
		return false
	}
	l := r.l
	l.next, l.left = r.next, r.at
	switch {
	case p.joins(r):
	case errors.Is(err, errFull):
		l.reading, l.full = nil, true
		return false
	case errors.Is(err, errTurn), errors.Is(err, errJoined), err == nil && to < p.commits.position:
		return true
	case err == nil:
		if p.lose(r, fmt.Errorf("event %d is not where it should be", r.next)) {
			return true
		}
	case unreadable(err):
		if p.lose(r, err) {
			return true
		}
	default:
		p.cfg.Logger.Warn("events cannot be read from the log yet", "registration", l.id, "error", err)
		time.AfterFunc(retryReading, func() { p.retry(r) })
		return false
	}
	l.reading = nil
	p.pump(l)
	return false
}

// lose records that the log lacks what r was to deliver. It returns true if r may find later events.
func (p *Partition) lose(r *reading, why error) bool {
	marks := &r.l.backlog.marks
	if !r.lossy {
		p.cfg.Logger.Error("events are lost to a listener: the log does not hold them", "registration", r.l.id, "event",
			r.next, "error", why)
	}
	marks.lose(r.at.position)
	r.l.left = mark{}
	r.at, r.lossy = marks.first()
	return r.lossy
}

// retry resumes a reading after the log could not be read.
func (p *Partition) retry(r *reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current(r) && p.role != closed {
		r.l.reading = nil
		p.pump(r.l)
	}
}

// unreadable reports whether a log that failed with err will never have the requested part.
func unreadable(err error) bool {
	refused, ok := errors.AsType[interface {
		error
		Unreadable() bool
	}](err)
	return err != nil && (errors.Is(err, record.ErrCorrupt) || ok && refused.Unreadable())
}

// joins reports whether the next event of r's listener is in memory, or has yet to happen.
func (p *Partition) joins(r *reading) bool { return r.next >= r.l.backlog.begin() }

// handOver delivers a group's events to the listener.
func (p *Partition) handOver(r *reading, g record.Group) error {
	if err := p.worthwhile(r); err != nil {
		return err
	}
	events, err := r.events(g.Records)
	if err != nil {
		return err
	}
	for i := range events {
		if !r.offer(&events[i]) {
			r.at.position = g.Position
			return errFull
		}
	}
	r.at = mark{r.at.seq + uint64(len(events)), g.Position + 1}
	if r.quota -= len(g.Records); r.quota < 0 {
		return errTurn
	}
	return nil
}

// offer delivers one event, unless the caller has it, after a gap for lost ones. It returns false if the caller takes
// no more.
func (r *reading) offer(ev *Event) bool {
	if ev.Seq > r.next {
		gap := Event{Registration: ev.Registration, Type: call.Gap, Cause: call.GapPurged, Seq: ev.Seq - 1}
		if !r.caller.Event(&gap, 0, true) {
			return false
		}
		r.next, r.lossy = ev.Seq, false
	}
	if ev.Seq < r.next {
		return true
	}
	if !r.caller.Event(ev, 0, true) {
		return false
	}
	r.next++
	return true
}

// worthwhile returns the reason to stop r, or nil. It records r's progress, in case another reading continues.
func (p *Partition) worthwhile(r *reading) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.current(r) {
		return errStale
	}
	if r.l.left = r.at; p.joins(r) {
		return errJoined
	}
	return nil
}

// events returns the events of r's registration in a group, valid as long as the group.
func (r *reading) events(records []byte) ([]Event, error) {
	var events []Event
	written := false
	var rec record.Record
	for rest := records; len(rest) > 0; {
		var err error
		if rest, err = record.Next(rest, &rec); err != nil {
			return nil, err
		}
		if rec.ID != r.l.id || rec.Op != record.Notify && rec.Op != record.Tell && rec.Op != record.Gap {
			continue
		}
		ev := Event{
			Registration: rec.ID, Seq: r.at.seq + uint64(len(events)), Type: call.EventType(rec.Type),
			Entry: call.View{ID: rec.Entry, Kind: rec.Kind, Row: rec.Body, Version: rec.Version, Attempts: rec.Tries},
		}
		switch rec.Op {
		case record.Notify:
			ev.Type, written = call.Written, true
		case record.Gap:
			ev.Type, ev.Cause = call.Gap, call.GapCause(rec.Type)
		}
		events = append(events, ev)
	}
	if written {
		return events, addEntries(events, records)
	}
	return events, nil
}

// addEntries completes events about entries written in the same group.
func addEntries(events []Event, records []byte) error {
	lacking := make(map[uint64]*call.View, len(events))
	for i := range events {
		if v := &events[i].Entry; v.Kind == 0 && events[i].Type != call.Gap {
			lacking[v.ID] = v
		}
	}
	var rec record.Record
	for len(lacking) > 0 && len(records) > 0 {
		var err error
		if records, err = record.Next(records, &rec); err != nil {
			return err
		}
		if v := lacking[rec.ID]; rec.Op == record.Put && v != nil {
			v.Kind, v.Row, v.Version = rec.Kind, rec.Body, 1
			delete(lacking, rec.ID)
		}
	}
	for id := range lacking {
		return fmt.Errorf("%w: event about entry %d, which is not there", record.ErrCorrupt, id)
	}
	return nil
}
