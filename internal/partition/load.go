package partition

import (
	"context"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
)

// load builds the state from the newest image. The engine has no other user meanwhile, because calls are refused.
func (p *Partition) load(ctx context.Context, progress func(done, total uint64)) (position uint64, err error) {
	var l *engine.Loading
	position, clock, err := p.cfg.Log.Load(ctx, func(records []byte) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if l == nil {
			l = p.e.Load()
		}
		if len(records) > 0 && record.Op(records[0]) == record.Unread {
			return p.loadUnread(records)
		}
		err := l.Add(records)
		p.settle()
		return err
	}, progress)
	if err != nil || l == nil {
		return position, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock.hear(clock)
	if err := l.Finish(); err != nil {
		return position, err
	}
	p.settle()
	for id, seq := range p.e.Registrations() {
		b := &p.listener(id).backlog
		b.last, b.acked = seq, seq
		if m, ok := b.marks.first(); ok {
			b.acked = m.seq - 1
		}
	}
	return position, nil
}

// appendUnread appends the place in the log where the uncollected events of a registration begin, unless that is after
// the position of an image: events after it are not collected either, and are read when the log is applied. So it may
// be called when the image was begun, or later.
func (p *Partition) appendUnread(dst []byte, l *listener, position uint64) []byte {
	m, ok := l.backlog.unread(p.commits.position + 1)
	if !ok || !l.logged || l.ended || m.position > position {
		return dst
	}
	return record.AppendUnread(dst, l.id, m.seq, m.position)
}

// loadUnread loads the records of appendUnread.
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

// Needed returns the position from which the log is still needed for uncollected events of registrations; beyond the
// end of the log if there are none. Earlier messages may be removed, unless something else needs them.
func (p *Partition) Needed() uint64 {
	needed := p.Position() + 1
	for left := -1; left != 0; {
		p.mu.Lock()
		left = p.overListeners(left, func(l *listener) {
			if m, ok := l.backlog.unread(p.commits.position + 1); ok && l.logged {
				needed = min(needed, m.position)
			}
		})
		p.mu.Unlock()
	}
	return needed
}
