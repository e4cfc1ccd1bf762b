package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// dump is what Hash looks at, to be read.
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
		fmt.Fprintf(&b, "session %d %v lost %d\n", id, s.logged, s.lost)
		for x, ok := s.kept.at(s.kept.first()); ok; x, ok = s.kept.at(x.next) {
			fmt.Fprintf(&b, "outcome %d of call %d %x\n", x.sort, x.number, xxhash.Sum64(x.body))
		}
	}
	fmt.Fprintf(&b, "transactions %x\nlast %d\n", xxhash.Sum64(e.appendTxns(nil)), max(e.lastID, e.reserved))
	return b.String()
}
