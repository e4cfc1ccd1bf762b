package engine

import (
	"encoding/binary"
	"slices"

	"github.com/gospaces/gospaces/internal/record"
)

// An image is drawn while the state changes. A step that is about to change something that the log knows keeps it
// first: it is drawn as it is, unless it is already drawn or is newer than the image. Kept items carry the number of
// the image.

// keepImage keeps the entry in slot s with its lock, as the log knows it.
func (e *Engine) keepImage(k *kind, s slot) {
	m := e.image
	if m == nil {
		return
	}
	en := k.At(s)
	if en.Imaged == e.images {
		return
	}
	if en.Imaged = e.images; en.ID != 0 {
		m.drawEntry(k, s)
	}
}

func (m *Image) drawEntry(k *kind, s slot) {
	en, l := k.At(s), k.locks[s]
	if en.State != written {
		row, version := k.Row(s), en.Version
		if en.State == changed {
			row, version = k.oldRow(m.e, l), version-1
		}
		m.buf = record.AppendEntry(m.buf, en.ID, k.id, en.Expires, k.later[s], en.Order, version, en.Attempts, row)
		m.records++
	}
	if d := k.deaths[s]; d != nil {
		m.buf = record.AppendDeath(m.buf, en.ID, d.At, d.Holder)
	}
	if l != nil && l.owner != nil {
		m.drawLock(held{k, s, en.ID}, l)
	}
}

// drawLock draws a lock as the log knows it: that an entry is held, or what a prepared branch will do to it.
func (m *Image) drawLock(h held, l *lock) {
	t := l.owner
	switch {
	case t.prepared:
		m.buf = appendStaged(m.buf, t, h)
	case l.logged:
		r := holdOf(h, l)
		if t.imaged == m.e.images {
			r.Until, r.Volatile = t.was.expires, t.was.volatile
		}
		m.buf = record.AppendHold(m.buf, &r)
	}
}

// terms are the attributes of a transaction that each of its Hold records repeats.
type terms struct {
	expires  int64
	volatile bool
}

// keepTerms keeps the terms of a transaction. They are drawn with the entries that it holds.
func (e *Engine) keepTerms(t *transaction) {
	if e.image != nil && t.imaged != e.images {
		t.imaged, t.was = e.images, terms{t.expires, t.volatile}
	}
}

// keepLocked keeps all entries that t has changed, written or taken, because the log is about to know more of them.
func (e *Engine) keepLocked(t *transaction) {
	if e.image == nil {
		return
	}
	for _, hs := range [][]held{t.own, t.taken} {
		for _, h := range hs {
			if h.there() {
				e.keepImage(h.k, h.s)
			}
		}
	}
}

func (e *Engine) keepRegistration(r *registration) {
	m := e.image
	if m == nil || r.imaged == e.images {
		return
	}
	if r.imaged = e.images; r.txn != nil {
		return
	}
	m.buf = record.AppendListener(m.buf, r.id, uint64(r.on), r.seq, r.expires, appendTemplates(nil, r.query.Templates))
	m.records++
}

// keepSession keeps a session. Its outcomes, which may be very many, are drawn later.
func (e *Engine) keepSession(s *session) {
	m := e.image
	if m == nil || s.imaged == e.images {
		return
	}
	if s.imaged = e.images; !s.logged {
		return
	}
	m.buf = record.AppendSession(m.buf, s.id, binary.LittleEndian.AppendUint64(slices.Clone(s.client[:]), s.lost))
	m.records++
	if s.kept.n > 0 {
		m.outcomes = append(m.outcomes, lent{session: s.id, of: s.kept.lend()})
	}
}
