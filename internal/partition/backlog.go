package partition

import "unsafe"

// backlog is the events of a registration that were not acknowledged: the last ones in memory, those before them in the log, if there is one.
type backlog struct {
	last  uint64 // number of the last event
	acked uint64 // number of the last event that was acknowledged
	kept  []kept // those in memory: without gaps, up to the last
	bytes int    // of rows in kept
	all   *int   // bytes that the backlogs of all registrations take
	group *group // that the last event is in
	marks marks  // where in the log the events before kept are

	skipped uint64 // position of the group that skip has seen last
}

// kept is an event with a row of its own.
type kept struct {
	Event
	lsn   LSN
	group *group // nil if the event is not for the log
	first bool   // of the registration's events in its group
}

// underway reports whether the event is for the log and not there yet.
func (k *kept) underway() bool { return k.group != nil && k.group.position == 0 }

// size returns about how many bytes the event takes. The events of several registrations may share a row: each counts it.
func (k *kept) size() int { return int(unsafe.Sizeof(*k)) + len(k.Entry.Row) }

// group is a group of records on its way to the log.
type group struct {
	position uint64 // in the log; 0: it is not there yet
}

// at returns the event with a number, or nil if memory does not hold it.
func (b *backlog) at(seq uint64) *kept {
	if seq > b.last || seq < b.begin() {
		return nil
	}
	return &b.kept[seq-b.begin()]
}

// begin returns the number of the oldest event in memory, or of the next one.
func (b *backlog) begin() uint64 { return b.last + 1 - uint64(len(b.kept)) }

// add adds an event at the end.
func (b *backlog) add(k kept) {
	k.first = k.group != b.group
	b.last, b.group = k.Seq, k.group
	b.kept = append(b.kept, k)
	b.bytes += len(k.Entry.Row)
	*b.all += k.size()
}

// skip notes an event that is in the log and not kept in memory, where there is none before it.
func (b *backlog) skip(seq, position uint64) {
	if position != b.skipped {
		b.skipped = position
		b.marks.add(mark{seq, position})
	}
	b.last = seq
}

// unread returns from where in the log the events come that were not acknowledged; false if there are none. next is the position of the next group.
func (b *backlog) unread(next uint64) (mark, bool) {
	if b.acked >= b.last {
		return mark{}, false
	}
	if m, ok := b.marks.before(b.acked + 1); ok {
		return m, true
	}
	if len(b.kept) == 0 {
		return mark{}, false
	}
	k := &b.kept[0]
	if k.group == nil || k.group.position == 0 {
		return mark{k.Seq, next}, true
	}
	return mark{k.Seq, k.group.position}, true
}

// acknowledge forgets the events up to seq, as far as the log has them.
func (b *backlog) acknowledge(seq uint64) {
	b.acked = max(b.acked, min(seq, b.last))
	n := 0
	for n < len(b.kept) && b.kept[n].Seq <= seq && !b.kept[n].underway() {
		n++
	}
	b.drop(n)
	b.marks.forget(seq)
}

// trim drops the oldest events beyond the bounds. It returns false if there are some that the log has to take first.
func (b *backlog) trim(cfg *Config) bool {
	for len(b.kept) > cfg.EventBacklog || b.bytes > cfg.EventBytes && len(b.kept) > 1 || b.bytes > scarceEventBytes && cfg.Budget.Scarce() {
		if b.kept[0].underway() {
			return false
		}
		b.drop(1)
	}
	return true
}

// clear gives up what memory holds.
func (b *backlog) clear() {
	for i := range b.kept {
		*b.all -= b.kept[i].size()
	}
	b.kept, b.bytes = nil, 0
}

// drop removes the first n events from memory, and remembers where in the log they are.
func (b *backlog) drop(n int) {
	for i := range b.kept[:n] {
		k := &b.kept[i]
		b.bytes -= len(k.Entry.Row)
		*b.all -= k.size()
		if k.first && k.group != nil {
			b.marks.add(mark{k.Seq, k.group.position})
		}
		*k = kept{}
	}
	if b.kept = b.kept[n:]; len(b.kept) == 0 {
		b.kept = nil
	}
}
