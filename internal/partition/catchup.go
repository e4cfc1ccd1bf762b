package partition

import (
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// reading brings a listener the events that are in the log and no longer in memory. It runs in a goroutine of its own,
// without the partition's lock: it delays nobody.
type reading struct {
	l      *listener
	caller Caller
	at     mark   // where to go on
	next   uint64 // number of the event that the caller gets next
	quota  int    // bytes of log that it may read before others have their turn
	lossy  bool   // what comes between next and at is lost
}

const (
	// readings is how many readings of one log are under way at a time; others wait for their turn.
	readings = 2
	// readingQuota is how many bytes a reading reads in one turn. Between two turns it rests, if the log grows meanwhile: the log's
	// server serves those who read and those who write one after the other, and writers come first.
	readingQuota = 1 << 20
	// retryReading is how long a reading waits after the log could not be read.
	retryReading = time.Second
)

// Why a reading does not read on, other than errors of the log.
var (
	errFull   = errors.New("partition: the listener takes no more")
	errJoined = errors.New("partition: memory holds what follows")
	errTurn   = errors.New("partition: others wait to read")
	errStale  = errors.New("partition: nobody waits for this reading any more")
)

// catchUp begins to read what a listener lacks, or tells it that it is lost.
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

// readable returns where in the log to look for the event that the listener gets next, or the first after it that may be there.
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

// read reads the log for r until r's listener can go on without.
func (p *Partition) read(r *reading) {
	for {
		select {
		case p.turns <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		r.quota = readingQuota
		began, to := time.Now(), p.position()
		err := p.cfg.Log.Read(p.ctx, r.at.position, to, func(g record.Group) error { return p.handOver(r, g) })
		<-p.turns
		if !p.goesOn(r, to, err) {
			return
		}
		if p.position() > to {
			p.rest(time.Since(began))
		}
	}
}

// rest waits. It returns false if the partition is closed before.
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

// position returns the position of the last group that is durable.
func (p *Partition) position() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commits.position
}

// current reports whether r's listener still waits for it.
func (p *Partition) current(r *reading) bool {
	return p.listeners[r.l.id] == r.l && r.l.reading == r
}

// goesOn settles what follows when a turn of r has ended with err; nil means that all up to a position was read.
// It reports whether r is to have another turn.
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

// lose notes that the log does not give what r was to bring. It returns true if r may find what comes later.
func (p *Partition) lose(r *reading, why error) bool {
	marks := &r.l.backlog.marks
	if !r.lossy {
		p.cfg.Logger.Error("events are lost to a listener: the log does not hold them", "registration", r.l.id, "event", r.next, "error", why)
	}
	marks.lose(r.at.position)
	r.l.left = mark{}
	r.at, r.lossy = marks.first()
	return r.lossy
}

// retry resumes a reading for which the log could not be read.
func (p *Partition) retry(r *reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current(r) && p.role != closed {
		r.l.reading = nil
		p.pump(r.l)
	}
}

// unreadable reports whether a log that failed with err will never be able to give what was asked for.
func unreadable(err error) bool {
	refused, ok := errors.AsType[interface {
		error
		Unreadable() bool
	}](err)
	return err != nil && (errors.Is(err, record.ErrCorrupt) || ok && refused.Unreadable())
}

// joins reports whether what r's listener gets next is in memory, or has yet to happen.
func (p *Partition) joins(r *reading) bool { return r.next >= r.l.backlog.begin() }

// handOver gives the listener what a group holds for it.
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

// offer hands over one event, unless the caller has it, and before it the gap of those that are lost. It returns false if the caller takes no more.
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

// worthwhile returns why r should read no more, or nil. It remembers how far r has come, in case that another takes its place.
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

// addEntries completes events about entries that were written in the same group.
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
