package engine

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/record"
)

// Image is a picture of the state at one moment, taken while the state goes on to change: a sequence of records, from which Load makes
// the same state. It is drawn a few entries at a time. An entry that is about to change, or to go, before it was drawn is drawn first;
// entries that came later are left out. So no call has to wait for more than one step.
type Image struct {
	e       *Engine
	lsn     uint64
	last    []slot // that was in use when it was begun, of each kind that there was
	kind    int    // being drawn
	next    slot
	buf     []byte // drawn, and not handed over
	tail    []byte // what comes after the entries
	fates   fates  // as they were, what is not drawn of them
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
	m := &Image{e: e, lsn: e.lsn, next: 1}
	for _, k := range e.kinds {
		m.last = append(m.last, k.Top())
	}
	e.image = m
	m.fates = fates{e.fates.first, slices.Clone(e.fates.pages)}
	m.drawRest()
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
	m.buf, m.tail = nil, nil
}

// Draw draws up to about n more entries and appends the records to dst. done tells that these were the last.
func (m *Image) Draw(dst []byte, n int) (_ []byte, done bool) {
	e := m.e
	for ; n > 0 && m.kind < len(m.last); n-- {
		k := e.kinds[m.kind]
		if m.next > min(m.last[m.kind], k.Top()) { // there are fewer if all have gone meanwhile
			m.kind, m.next = m.kind+1, 1
			continue
		}
		e.keepImage(k, m.next)
		m.next++
	}
	if m.kind == len(m.last) {
		m.drawFates(n)
	}
	if m.kind == len(m.last) && len(m.fates.pages) == 0 && !m.done {
		m.done = true
		m.buf = append(m.buf, m.tail...)
		m.buf = record.AppendEnded(m.buf, m.records)
	}
	dst = append(dst, m.buf...)
	m.buf = m.buf[:0]
	return dst, m.done
}

// keepImage draws the entry in slot s if an image is being made that has to show it and does not yet.
func (e *Engine) keepImage(k *kind, s slot) {
	m := e.image
	if m == nil {
		return
	}
	en := k.At(s)
	if en.Imaged == e.images {
		return
	}
	en.Imaged = e.images
	if en.ID == 0 || en.State == written {
		return
	}
	row, version, visible := k.Row(s), en.Version, int64(0)
	if l := k.locks[s]; l != nil && en.State == changed {
		row, version = k.oldRow(e, l), version-1
	}
	if en.State == delayed {
		visible = k.later[s]
	}
	m.buf = record.AppendEntry(m.buf, en.ID, k.id, en.Expires, visible, en.Order, version, en.Attempts, row)
	m.records++
}

// drawFates draws the next n pages of the fates.
func (m *Image) drawFates(n int) {
	f := &m.fates
	for ; n > 0 && len(f.pages) > 0; n-- {
		if p := f.pages[0]; p != nil {
			m.buf = record.AppendFates(m.buf, f.first, p.append(nil))
			m.records++
		}
		f.pages = f.pages[1:]
		f.first++
	}
}

// drawRest draws everything but the entries.
func (m *Image) drawRest() {
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
	for _, id := range slices.Sorted(maps.Keys(e.registrations)) {
		if r := e.registrations[id]; r.txn == nil {
			m.buf = record.AppendListener(m.buf, id, uint64(r.on), r.seq, r.expires, appendTemplates(nil, r.query.Templates))
			m.records++
		}
	}
	m.drawSessions()
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		if t := e.txns[number]; t.prepared {
			m.tail = e.appendPrepared(m.tail, t)
		} else if t.holds > 0 {
			m.tail = e.appendHolds(m.tail, t)
		}
	}
	m.tail = e.appendDeaths(m.tail)
	for _, d := range e.Decisions() {
		m.buf = record.AppendDecide(m.buf, d.Number, appendAddresses(nil, d.Participants))
		m.records++
	}
}

func (m *Image) drawSessions() {
	ss := &m.e.sessions
	for _, id := range slices.Sorted(maps.Keys(ss.byID)) {
		s := ss.byID[id]
		if !s.logged {
			continue
		}
		m.buf = record.AppendSession(m.buf, id, binary.LittleEndian.AppendUint64(slices.Clone(s.client[:]), s.lost))
		m.records++
		for x, ok := s.kept.at(s.kept.first()); ok; x, ok = s.kept.at(x.next) {
			m.buf = record.AppendOutcome(m.buf, id, byte(x.sort), x.number, x.body)
			m.records++
		}
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
