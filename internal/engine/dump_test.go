package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// dump is the state that Hash covers, as text.
func dump(e *Engine) string {
	var b strings.Builder
	for _, k := range e.kinds {
		fmt.Fprintln(&b, "kind", k.schema.Kind)
		for _, s := range k.committed() {
			fmt.Fprintf(&b, "entry %d %x\n", k.At(s).ID, xxhash.Sum64(k.appendCommitted(nil, e, s)))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.registrations)) {
		r := e.registrations[id]
		if r.txn == nil {
			fmt.Fprintf(&b, "registration %d seq %d on %b expires %d\n", id, r.seq, r.on, r.expires)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.sessions.byID)) {
		s := e.sessions.byID[id]
		if !s.logged {
			continue
		}
		fmt.Fprintf(&b, "session %d lost %d\n", id, s.lost)
		for x, ok := s.kept.at(s.kept.first()); ok; x, ok = s.kept.at(x.next) {
			fmt.Fprintf(&b, "outcome %d of call %d %x\n", x.sort, x.number, xxhash.Sum64(x.body))
		}
	}
	dumpTxns(&b, e)
	fmt.Fprintf(&b, "deaths %x\ndecisions %v\nlast %d\n", e.appendDeaths(nil), e.Decisions(), max(e.lastID, e.reserved))
	return b.String()
}

func dumpTxns(b *strings.Builder, e *Engine) {
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		t := e.txns[number]
		for _, h := range byID(t.taken) {
			if h.takenBy(t) && h.k.locks[h.s].logged {
				fmt.Fprintf(b, "held %+v\n", holdOf(h, h.k.locks[h.s]))
			}
		}
		if t.prepared {
			fmt.Fprintln(b, "prepared", t.name)
			for _, h := range t.staged() {
				fmt.Fprintf(b, "staged %d %x\n", h.id, xxhash.Sum64(appendStaged(nil, t, h)))
			}
		}
	}
}
