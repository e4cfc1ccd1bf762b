package engine

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Hash returns a checksum of the state that the log carries: kinds, entries in order with their leases, registrations
// with their sequences, sessions with their outcomes, what transactions hold, fates of transactions, prepared
// transactions, decisions, and the last identity. Engines that applied the same records have the same hash: other
// effects of an open transaction count only once it has committed. Hash visits the whole state and is meant for tests
// and audits.
func (e *Engine) Hash() uint64 {
	h := xxhash.New()
	var b []byte
	for _, k := range e.kinds {
		b = template.AppendSchema(b[:0], k.schema)
		if k.dropped {
			b = append(b, 1)
		}
		h.Write(b)
		for _, s := range k.committed() {
			h.Write(k.appendCommitted(b[:0], e, s))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.registrations)) {
		r := e.registrations[id]
		if r.txn != nil {
			continue
		}
		b = binary.LittleEndian.AppendUint64(b[:0], id)
		b = binary.LittleEndian.AppendUint64(b, r.seq)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.on))
		b = binary.LittleEndian.AppendUint64(b, uint64(r.expires))
		h.Write(appendTemplates(b, r.query.Templates))
	}
	e.sessions.hash(h)
	e.fates.hash(h)
	h.Write(e.appendTxns(b[:0]))
	h.Write(binary.LittleEndian.AppendUint64(b[:0], max(e.lastID, e.reserved)))
	return h.Sum64()
}

// committed returns the entries except uncommitted writes: visible ones in order, then delayed ones by identity.
func (k *kind) committed() []slot {
	var all []slot
	for s := slot(1); s <= k.Top(); s++ {
		if en := k.At(s); en.ID != 0 && en.State != written {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b slot) int {
		x, y := k.At(a), k.At(b)
		if x.State == delayed && y.State == delayed {
			return cmp.Compare(x.ID, y.ID)
		}
		if (x.State == delayed) != (y.State == delayed) {
			if x.State == delayed {
				return 1
			}
			return -1
		}
		return cmp.Compare(x.Order, y.Order)
	})
	return all
}

// appendCommitted appends the state of one entry as the log knows it.
func (k *kind) appendCommitted(b []byte, e *Engine, s slot) []byte {
	en, row, version := k.At(s), k.Row(s), k.At(s).Version
	if en.State == changed {
		row, version = k.oldRow(e, k.locks[s]), version-1
	}
	b = binary.LittleEndian.AppendUint64(b, en.ID)
	b = binary.LittleEndian.AppendUint64(b, uint64(en.Expires))
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, en.Attempts)
	b = binary.LittleEndian.AppendUint64(b, uint64(k.later[s]))
	return append(binary.AppendUvarint(b, uint64(len(row))), row...)
}

// appendTxns appends the transactions that survive a crash, and the decisions.
func (e *Engine) appendTxns(b []byte) []byte {
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		t := e.txns[number]
		if t.holds > 0 {
			b = e.appendHolds(b, t)
		}
		if t.prepared {
			b = appendPrepare(b, t)
			for _, h := range t.staged() {
				b = appendStaged(b, t, h)
			}
		}
	}
	b = e.appendDeaths(b)
	for _, d := range e.Decisions() {
		b = binary.AppendUvarint(b, d.Number)
		b = appendAddresses(b, d.Participants)
	}
	return b
}

// appendHolds appends an open transaction as the log knows it, sorted by entry: an image does not keep the order of the
// takes.
func (e *Engine) appendHolds(dst []byte, t *transaction) []byte {
	for _, h := range byID(t.taken) {
		if h.takenBy(t) && h.k.locks[h.s].logged {
			dst = appendHold(dst, h, h.k.locks[h.s])
		}
	}
	return dst
}

// staged returns the entries that t has written, changed or taken, sorted.
func (t *transaction) staged() (hs []held) {
	for _, h := range t.own {
		if h.ownedBy(t) {
			hs = append(hs, h)
		}
	}
	for _, h := range t.taken {
		if h.takenBy(t) {
			hs = append(hs, h)
		}
	}
	return byID(hs)
}

func byID(hs []held) []held {
	return slices.SortedFunc(slices.Values(hs), func(a, b held) int { return cmp.Compare(a.id, b.id) })
}

// appendDeaths appends the entries whose holders have vanished.
func (e *Engine) appendDeaths(dst []byte) []byte {
	for _, k := range e.kinds {
		earlier := func(a, b slot) int { return cmp.Compare(k.At(a).ID, k.At(b).ID) }
		for _, s := range slices.SortedFunc(maps.Keys(k.deaths), earlier) {
			d := k.deaths[s]
			dst = record.AppendDeath(dst, k.At(s).ID, d.At, d.Holder)
		}
	}
	return dst
}

// hash adds the sessions that the log knows.
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
