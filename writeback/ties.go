package writeback

import "github.com/gospaces/gospaces/internal/record"

// ties record which entries must be seen to change together: those that one call of the space changed at once, and
// those of other such calls that changed one of them. Tied entries have the same root.
type ties struct {
	parents map[uint64]uint64 // of tied entries that are not roots
	changed []uint64          // by the records of the group so far, entries in order
}

func newTies() *ties { return &ties{parents: make(map[uint64]uint64)} }

func (t *ties) reset() { clear(t.parents) }

// root returns the root of an entry; the entry itself if it is not tied.
func (t *ties) root(entry uint64) uint64 {
	for {
		parent, ok := t.parents[entry]
		if !ok {
			return entry
		}
		if above, ok := t.parents[parent]; ok {
			t.parents[entry] = above // path halving
		}
		entry = parent
	}
}

// add adds the records of a group, which can be decoded. It returns the number of tied entries.
func (t *ties) add(records []byte) (tied int) {
	t.changed = t.changed[:0]
	var r record.Record
	for len(records) > 0 {
		records, _ = record.Next(records, &r)
		if r.Op == record.Together {
			n := min(r.Count, uint64(len(t.changed)))
			tied += t.tie(t.changed[uint64(len(t.changed))-n:])
		} else if entry := r.Changed(); entry != 0 {
			t.changed = append(t.changed, entry)
		}
	}
	return tied
}

// tie ties entries to each other, and returns their number.
func (t *ties) tie(entries []uint64) int {
	if len(entries) == 0 {
		return 0
	}
	first := t.root(entries[0])
	for _, entry := range entries[1:] {
		if other := t.root(entry); other != first {
			t.parents[other] = first
		}
	}
	return len(entries)
}
