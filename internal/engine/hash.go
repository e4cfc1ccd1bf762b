package engine

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/gospaces/gospaces/template"
)

// Hash returns a checksum of the state that the log carries: kinds, entries in their order with their leases, registrations with
// their sequences, sessions with their outcomes, and the last identity. Engines that applied the same records have the same hash.
// It looks at everything and is meant for tests and audits.
func (e *Engine) Hash() uint64 {
	h := xxhash.New()
	var b []byte
	for _, k := range e.kinds {
		b = template.AppendSchema(b[:0], k.schema)
		for s := k.all.head; s != 0; s = k.order.at(s).next {
			en := k.entries.at(s)
			b = binary.LittleEndian.AppendUint64(b, en.id)
			b = binary.LittleEndian.AppendUint64(b, uint64(en.expires))
			b = append(binary.AppendUvarint(b, uint64(en.size)), k.row(e, s)...)
			h.Write(b)
			b = b[:0]
		}
		h.Write(b)
	}
	for _, id := range slices.Sorted(maps.Keys(e.registrations)) {
		r := e.registrations[id]
		b = binary.LittleEndian.AppendUint64(b[:0], id)
		b = binary.LittleEndian.AppendUint64(b, r.seq)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.expires))
		h.Write(appendTemplates(b, r.query.Templates))
	}
	e.sessions.hash(h)
	h.Write(binary.LittleEndian.AppendUint64(b[:0], e.lastID))
	return h.Sum64()
}

// hash writes the sessions that the log knows.
func (ss *sessions) hash(h *xxhash.Digest) {
	for _, id := range slices.Sorted(maps.Keys(ss.byID)) {
		s := ss.byID[id]
		if !s.logged {
			continue
		}
		b := binary.LittleEndian.AppendUint64(s.client[:], id)
		h.Write(binary.LittleEndian.AppendUint64(b, s.lost))
		for x, ok := s.kept.at(s.kept.first()); ok; x, ok = s.kept.at(x.next) {
			b = binary.LittleEndian.AppendUint64(append(b[:0], byte(x.sort)), x.number)
			h.Write(append(binary.AppendUvarint(b, uint64(len(x.body))), x.body...))
		}
	}
	h.Write(binary.LittleEndian.AppendUint64(nil, ss.expired))
}
