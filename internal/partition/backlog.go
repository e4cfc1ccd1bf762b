package partition

import "unsafe"

// backlog is the unacknowledged events of a registration: the last ones in memory, earlier ones in the log, if there is
// one.
type backlog struct {
	last  uint64  // number of the last event
	acked uint64  // number of the last acknowledged event
	kept  []kept  // events in memory: without gaps, up to the last
	bytes int     // of rows in kept
	all   *events // in the backlogs of all registrations
	group *group  // of the last event
	marks marks   // places in the log of the events before kept

	skipped uint64 // position of the last group seen by skip
}

// events are how many events there are in memory.
type events struct {
	n    int
	rows int // bytes
}

// add counts one more event, or with n = -1 one less.
func (es *events) add(n int, k *kept) {
	es.n += n
	es.rows += n * len(k.Entry.Row)
}

// memory returns their approximate memory in bytes. Events of several registrations may share a row; each counts it.
func (es *events) memory() int { return es.n*int(unsafe.Sizeof(kept{})) + es.rows }

// kept is an event with its own row.
type kept struct {
	Event
	lsn   LSN
	group *group // nil if the event does not go to the log
	first bool   // the registration's first event in its group
}

// underway reports whether the event goes to the log and is not there yet.
func (k *kept) underway() bool { return k.group != nil && k.group.position == 0 }

// group is a group of records on its way to the log.
type group struct {
	position uint64 // in the log; 0: not there yet
}

// at returns the event with a number, or nil if it is not in memory.
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
	b.all.add(1, &k)
}

// skip records an event that is in the log and not kept in memory; there must be none in memory before it.
func (b *backlog) skip(seq, position uint64) {
	if position != b.skipped {
		b.skipped = position
		b.marks.add(mark{seq, position})
	}
	b.last = seq
}

// unread returns the place in the log of the first unacknowledged event; false if there is none. next is the position
// of the next group.
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

// acknowledge removes the events up to seq, as far as they are in the log.
func (b *backlog) acknowledge(seq uint64) {
	b.acked = max(b.acked, min(seq, b.last))
	n := 0
	for n < len(b.kept) && b.kept[n].Seq <= seq && !b.kept[n].underway() {
		n++
	}
	b.drop(n)
	b.marks.forget(seq)
}

// trim removes the oldest events beyond the limits. It returns false if some of these must first get into the log.
func (b *backlog) trim(cfg *Config) bool {
	for len(b.kept) > cfg.EventBacklog || b.bytes > cfg.EventBytes && len(b.kept) > 1 || b.bytes > scarceEventBytes &&
		cfg.Budget.Scarce() {
		if b.kept[0].underway() {
			return false
		}
		b.drop(1)
	}
	return true
}

// clear removes all events from memory.
func (b *backlog) clear() {
	for i := range b.kept {
		b.all.add(-1, &b.kept[i])
	}
	b.kept, b.bytes = nil, 0
}

// drop removes the first n events from memory, and records their places in the log.
func (b *backlog) drop(n int) {
	for i := range b.kept[:n] {
		k := &b.kept[i]
		b.bytes -= len(k.Entry.Row)
		b.all.add(-1, k)
		if k.first && k.group != nil {
			b.marks.add(mark{k.Seq, k.group.position})
		}
		*k = kept{}
	}
	if b.kept = b.kept[n:]; len(b.kept) == 0 {
		b.kept = nil
	}
}
