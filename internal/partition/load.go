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
		return l.Add(records)
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
	for id, seq := range p.e.Registrations() {
		b := &p.listener(id).backlog
		b.last, b.acked = seq, seq
		if m, ok := b.marks.first(); ok {
			b.acked = m.seq - 1
		}
	}
	return position, nil
}

// appendUnread appends the place in the log where the uncollected events of each registration begin.
func (p *Partition) appendUnread(dst []byte) []byte {
	for id, l := range p.listeners {
		if m, ok := l.backlog.unread(p.commits.position + 1); ok && l.logged && !l.ended {
			dst = record.AppendUnread(dst, id, m.seq, m.position)
		}
	}
	return dst
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
