package engine

import (
	"encoding/binary"
	"slices"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// Image is the state at one moment, drawn while the state changes: a sequence of records, from which Load restores the
// same state. It is drawn in steps of a few entries, registrations or sessions. An item that is about to change or go
// before it was drawn is drawn first; later items are left out. So no call waits for more than one step.
type Image struct {
	e   *Engine
	lsn uint64

	// Still to be drawn.
	registrations walk[*registration]
	sessions      walk[*session]
	outcomes      []lent // of the sessions that are drawn
	kind          int
	next          slot   // in kind
	last          []slot // of each kind, the last slot in use when the image began
	fates         fates  // as of the moment of the image

	buf     []byte // drawn, but not returned yet
	records uint64
	done    bool
}

// lent are outcomes of a session, as they were at the moment of an image.
type lent struct {
	session uint64
	of      outcomes
	at      uint64 // position of the next to be drawn
}

// LSN returns the number of the last change in the image.
func (m *Image) LSN() uint64 { return m.lsn }

// BeginImage begins an image of the current state. There can be only one at a time, until Close.
func (e *Engine) BeginImage() *Image {
	if e.images++; e.images == 0 {
		e.forgetImages()
	}
	m := &Image{e: e, lsn: e.lsn, next: 1, fates: fates{e.fates.first, slices.Clone(e.fates.pages)}}
	m.registrations, m.sessions = newWalk(&e.enrolled), newWalk(&e.sessions.enrolled)
	for _, k := range e.kinds {
		m.last = append(m.last, k.Top())
	}
	e.image = m
	m.drawFew()
	return m
}

// forgetImages restarts the numbering of images.
func (e *Engine) forgetImages() {
	e.images = 1
	for _, p := range e.fates.pages {
		if p != nil {
			p.imaged = 0
		}
	}
	for _, t := range e.txns {
		t.imaged = 0
	}
	for _, r := range e.enrolled {
		r.imaged = 0
	}
	for _, s := range e.sessions.enrolled {
		s.imaged = 0
	}
	for _, k := range e.kinds {
		for s := slot(1); s <= k.Top(); s++ {
			k.At(s).Imaged = 0
		}
	}
}

// Close ends the image, complete or not.
func (m *Image) Close() {
	if m.e.image == m {
		m.e.image = nil
	}
	m.buf, m.outcomes = nil, nil
}

// drawnBytes is the approximate number of bytes drawn in one step.
const drawnBytes = 256 << 10

// Draw draws about n more entries, registrations, sessions, outcomes or pages of fates, fewer if they are large, and
// appends the records to dst. done reports that the image is complete.
func (m *Image) Draw(dst []byte, n int) (_ []byte, done bool) {
	for enough := len(m.buf) + drawnBytes; n > 0 && !m.done && len(m.buf) < enough; n-- {
		m.drawNext()
	}
	dst = append(dst, m.buf...)
	m.buf = m.buf[:0]
	return dst, m.done
}

func (m *Image) drawNext() {
	if len(m.outcomes) > 0 {
		m.drawOutcome()
		return
	}
	if r, ok := m.registrations.next(); ok {
		m.e.keepRegistration(r)
		return
	}
	if s, ok := m.sessions.next(); ok {
		m.e.keepSession(s)
		return
	}
	switch {
	case m.kind < len(m.last):
		m.drawSlot()
	case len(m.fates.pages) > 0:
		m.drawFates()
	default:
		m.done = true
		m.buf = record.AppendEnded(m.buf, m.records)
	}
}

// drawOutcome draws the next outcome.
func (m *Image) drawOutcome() {
	l := &m.outcomes[len(m.outcomes)-1]
	x, ok := l.of.at(l.at)
	if !ok {
		*l = lent{}
		m.outcomes = m.outcomes[:len(m.outcomes)-1]
		return
	}
	l.at = x.next
	m.buf = record.AppendOutcome(m.buf, l.session, byte(x.sort), x.number, x.body)
	m.records++
}

// drawSlot draws the next entry, or moves to the next kind.
func (m *Image) drawSlot() {
	k := m.e.kinds[m.kind]
	if m.next > min(m.last[m.kind], k.Top()) { // there are fewer if all have been removed meanwhile
		m.kind, m.next = m.kind+1, 1
		return
	}
	m.e.keepImage(k, m.next)
	m.next++
}

// drawFates draws the next page of the fates.
func (m *Image) drawFates() {
	f := &m.fates
	if p := f.pages[0]; p != nil {
		m.buf = record.AppendFates(m.buf, f.first, p.append(nil))
		m.records++
	}
	f.pages = f.pages[1:]
	f.first++
}

// drawFew draws all items that exist in small numbers.
func (m *Image) drawFew() {
	e := m.e
	m.buf = record.AppendCounters(m.buf, e.appendCounters(nil))
	m.records = 1 + uint64(len(e.kinds))
	for _, k := range e.kinds {
		m.buf = record.AppendKind(m.buf, k.id, appendSchema(k))
		for _, ix := range k.Free.Indexes() {
			m.buf = record.AppendIndex(m.buf, record.Index, k.id, appendShape(nil, ix.Shape))
			m.records++
		}
		if k.dropped {
			m.buf = record.AppendDrop(m.buf, k.id)
			m.records++
		}
	}
	for _, t := range e.prepared() {
		m.buf = appendPrepare(m.buf, t)
	}
	for _, d := range e.Decisions() {
		m.buf = record.AppendDecide(m.buf, d.Number, appendAddresses(nil, d.Participants))
		m.records++
	}
}

// Places of some numbers among those of appendCounters.
const countsIDs, countsExpired, countsFates = 0, 4, 5

// appendCounters appends the highest numbers that were issued.
func (e *Engine) appendCounters(dst []byte) []byte {
	return appendNumbers(dst, max(e.lastID, e.reserved), e.reserved, e.lastOrder, e.sessions.lastID, e.sessions.expired,
		e.fates.first)
}

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// AppendCounters appends the Counters record of an image that no engine has drawn. Identities and places in the order
// up to last may be in use; there are no sessions, and the fates of earlier transactions are unknown.
func AppendCounters(dst []byte, last uint64) []byte {
	base := txn.IDBase(txn.PartitionOf(last))
	return record.AppendCounters(dst, appendNumbers(nil, last, last, last, base, 0, last/fatePageIDs+1))
}
