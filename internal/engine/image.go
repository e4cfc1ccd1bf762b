package engine

import (
	"encoding/binary"
	"slices"

	"github.com/gospaces/gospaces/internal/record"
)

// Image is a picture of the state at one moment, taken while the state goes on to change: a sequence of records, from
// which Load makes the same state. It is drawn in steps, a few entries, registrations or sessions in each. What is
// about to change, or to go, before it was drawn is drawn first; what came later is left out. So no call waits for
// more than one step.
type Image struct {
	e   *Engine
	lsn uint64

	// What is left to draw.
	registrations walk[*registration]
	sessions      walk[*session]
	kind          int
	next          slot   // of kind
	last          []slot // that was in use when the image was begun, of each kind that there was
	fates         fates  // as they were

	buf     []byte // drawn, and not handed over
	records uint64
	done    bool
}

// LSN returns the number of the last change that the image shows.
func (m *Image) LSN() uint64 { return m.lsn }

// BeginImage begins an image of the present state. There is one at a time: it ends with Close.
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

// forgetImages makes the numbers of images start again.
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

// Close gives the image up, or ends one that is complete.
func (m *Image) Close() {
	if m.e.image == m {
		m.e.image = nil
	}
	m.buf = nil
}

// drawnBytes is how many bytes one step draws, and part of what it draws last.
const drawnBytes = 256 << 10

// Draw draws about n more entries, registrations, sessions or pages of fates, fewer if they are large, and appends the
// records to dst. done tells that these were the last.
func (m *Image) Draw(dst []byte, n int) (_ []byte, done bool) {
	for enough := len(m.buf) + drawnBytes; n > 0 && !m.done && len(m.buf) < enough; n-- {
		m.drawNext()
	}
	dst = append(dst, m.buf...)
	m.buf = m.buf[:0]
	return dst, m.done
}

func (m *Image) drawNext() {
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

// drawSlot draws the next entry, or passes to the next kind.
func (m *Image) drawSlot() {
	k := m.e.kinds[m.kind]
	if m.next > min(m.last[m.kind], k.Top()) { // there are fewer if all have gone meanwhile
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

// drawFew draws what there are few of.
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

// appendCounters appends the highest numbers that were given out.
func (e *Engine) appendCounters(dst []byte) []byte {
	return appendNumbers(dst, max(e.lastID, e.reserved), e.reserved, e.lastOrder, e.sessions.lastID, e.sessions.expired, e.fates.first)
}

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// AppendCounters appends the Counters record of an image that no engine has drawn, in which identities and places in the order up to last may be in use, and
// which has no sessions, and does not know what has become of earlier transactions.
func AppendCounters(dst []byte, last uint64) []byte {
	return record.AppendCounters(dst, appendNumbers(nil, last, last, last, 0, 0, last/fatePageIDs+1))
}
