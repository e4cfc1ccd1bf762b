package partition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
)

// Image takes an image of the state, in pieces of whole records, and keeps it. Commit ends it, or Abort.
type Image interface {
	Write(records []byte) error
	Commit() error
	Abort() error
}

// errNoLog is returned by Snapshot for a partition without a log: there is nothing to go on from.
var errNoLog = fmt.Errorf("%w: a space without a log has no snapshots", engine.ErrInvalidArgument)

const (
	// drawn is how many entries are drawn at a time, while nobody else can use the engine.
	drawn = 128
	// rest is the shortest pause after that: without one the engine's lock would be held again before those who wait for it are awake. The
	// pause is as long as the drawing, and the writing, took, so that an image never takes more than half of a processor from those who call.
	rest = 20 * time.Microsecond
	// written is how many bytes of records are written at a time.
	written = 256 << 10
)

// Snapshot takes an image of the state as it is now, while the partition goes on to serve, and returns the position of the last group of the log
// that the image includes. begin, which is called with that position, says who takes it. There is one at a time. It blocks until
// the image is committed, ctx ends, or the log fails: then it is aborted.
func (p *Partition) Snapshot(ctx context.Context, begin func(position uint64) (Image, error)) (position uint64, err error) {
	if p.cfg.Log == nil {
		return 0, errNoLog
	}
	p.imaging.Lock()
	defer p.imaging.Unlock()
	m, stored, err := p.beginImage()
	if err != nil {
		return 0, err
	}
	defer p.endImage(m)
	if position, err = p.awaitStored(ctx, m, stored); err != nil {
		return 0, err
	}
	to, err := begin(position)
	if err != nil {
		return 0, err
	}
	if err := p.draw(ctx, m, to); err != nil {
		return 0, errors.Join(err, to.Abort())
	}
	return position, to.Commit()
}

// imageOf is an image that is being drawn, of an engine.
type imageOf struct {
	*engine.Image
	e      *engine.Engine
	unread []byte        // records of what registrations have not collected
	failed chan struct{} // closed when the log fails
}

// beginImage begins an image. Its position is sent to stored as soon as the log has everything that the image shows.
func (p *Partition) beginImage() (m *imageOf, stored chan uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, nil, p.err
	}
	cs := &p.commits
	stored = make(chan uint64, 1)
	if len(p.e.Log) > record.HeaderSize {
		cs.seal(p.e)
	}
	m = &imageOf{e: p.e, unread: p.appendUnread(nil), failed: p.failed}
	m.Image = p.e.BeginImage()
	b := cs.newest()
	if b == nil {
		stored <- cs.position
		return m, stored, nil
	}
	b.stored = append(b.stored, func() { stored <- p.cfg.Log.Last() })
	cs.rouse(p.e)
	return m, stored, nil
}

func (p *Partition) endImage(m *imageOf) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.Close()
}

// awaitStored waits for the position of an image.
func (p *Partition) awaitStored(ctx context.Context, m *imageOf, stored chan uint64) (uint64, error) {
	select {
	case position := <-stored:
		return position, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-m.failed:
		return 0, fmt.Errorf("%w: the log has failed", engine.ErrUnavailable)
	case <-p.ctx.Done():
		return 0, engine.ErrClosed
	}
}

// draw draws the image some entries at a time.
func (p *Partition) draw(ctx context.Context, m *imageOf, to Image) error {
	if len(m.unread) > 0 {
		if err := to.Write(m.unread); err != nil {
			return err
		}
	}
	var buf []byte
	for done := false; !done; {
		began := time.Now()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var err error
		if buf, done, err = p.step(m, buf); err != nil {
			return err
		}
		if len(buf) >= written || done {
			if err := to.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		time.Sleep(max(rest, time.Since(began)))
	}
	return nil
}

// step draws a few entries. The image is of no use any more if the state was made anew.
func (p *Partition) step(m *imageOf, buf []byte) (_ []byte, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.e != m.e || p.closed {
		return nil, false, fmt.Errorf("%w: the state is being rebuilt", engine.ErrUnavailable)
	}
	buf, done = m.Draw(buf, drawn)
	return buf, done, nil
}

// load makes the state from the newest image. Nobody else uses the engine meanwhile, because p.err is set.
func (p *Partition) load(ctx context.Context, progress func(done, total uint64)) (position uint64, err error) {
	var l *engine.Loading
	position, err = p.cfg.Log.Load(ctx, func(records []byte) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if l == nil {
			l = p.e.Load()
		}
		if len(records) > 0 && record.Op(records[0]) == record.Unread {
			return p.loadUnread(records)
		}
		return l.Add(records)
	}, progress)
	if err != nil || l == nil {
		return position, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := l.Finish(); err != nil {
		return position, err
	}
	for id, seq := range p.e.Registrations() {
		b := &p.listener(id).backlog
		b.last, b.acked = seq, seq
		if m, ok := b.marks.first(); ok {
			b.acked = m.seq - 1
		}
	}
	return position, nil
}

// appendUnread appends what registrations have not collected: where in the log that begins.
func (p *Partition) appendUnread(dst []byte) []byte {
	for id, l := range p.listeners {
		if m, ok := l.backlog.unread(p.commits.position + 1); ok && l.logged && !l.ended {
			dst = record.AppendUnread(dst, id, m.seq, m.position)
		}
	}
	return dst
}

// loadUnread takes note of what appendUnread has appended.
func (p *Partition) loadUnread(records []byte) error {
	var r record.Record
	for len(records) > 0 {
		var err error
		if records, err = record.Next(records, &r); err != nil {
			return err
		}
		p.listener(r.ID).backlog.marks.add(mark{r.Number, r.Count})
	}
	return nil
}

// Needed returns the position from which on the log is still needed for the events of registrations that were not collected; beyond the end of
// the log if there are none. What is before it may go, unless something else needs it.
func (p *Partition) Needed() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.commits.position + 1
	needed := next
	for _, l := range p.listeners {
		if m, ok := l.backlog.unread(next); ok && l.logged {
			needed = min(needed, m.position)
		}
	}
	return needed
}
