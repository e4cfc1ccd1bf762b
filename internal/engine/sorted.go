package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/tidwall/btree"

	"github.com/gospaces/gospaces/template"
)

// sorted is an index for ranges and orderings: a B-tree of the entries, grouped by a hash of the fields that templates
// fix, within a group ordered by the index's keys, within equal keys by age.
type sorted struct {
	ix    *index
	tree  *btree.BTreeG[item]
	bound bound // where a walk starts; the comparison looks it up for items without a slot
}

// item stands for an entry in the tree. group and hint decide nearly every comparison without touching the entry.
type item struct {
	group uint64 // hash of the fixed fields
	hint  uint64 // first bytes of the first key's value, in an order that agrees with the key's
	slot  slot   // 0: the bound
}

// bound is a place within a group: before or after the entries whose first key has a value.
type bound struct {
	value template.Value
	after bool
	start bool // before every entry, whatever the direction of the first key
}

func newSorted(ix *index) *sorted {
	t := &sorted{ix: ix}
	t.reset()
	return t
}

func (t *sorted) reset() {
	t.tree = btree.NewBTreeGOptions(t.less, btree.Options{NoLocks: true})
}

func (t *sorted) add(s slot, row template.Row) {
	if it, ok := t.item(s, row); ok {
		t.tree.Set(it)
	}
}

func (t *sorted) insert(s slot, row template.Row) { t.add(s, row) }

func (t *sorted) remove(s slot) {
	if it, ok := t.item(s, t.ix.pool.kind.row(t.ix.e, s)); ok {
		t.tree.Delete(it)
	}
}

// item returns the entry's item; false if a fixed field is null, so that no template with this shape can match it.
func (t *sorted) item(s slot, row template.Row) (item, bool) {
	group, ok := t.ix.e.hashRow(row, t.ix.eq, nil)
	return item{group: group, hint: t.hint(row.Field(t.ix.keys[0].Field)), slot: s}, ok
}

func (t *sorted) hint(v template.Value) uint64 {
	var b [8]byte
	copy(b[:], v)
	h := binary.BigEndian.Uint64(b[:])
	if t.ix.keys[0].Desc {
		return ^h
	}
	return h
}

func (t *sorted) less(a, b item) bool {
	if a.group != b.group {
		return a.group < b.group
	}
	if a.hint != b.hint {
		return a.hint < b.hint
	}
	switch {
	case a.slot == b.slot:
		return false
	case a.slot == 0:
		return t.compareBound(b.slot) < 0
	case b.slot == 0:
		return t.compareBound(a.slot) > 0
	}
	k := t.ix.pool.kind
	if c := compareKeys(t.ix.keys, k.row(t.ix.e, a.slot), k.row(t.ix.e, b.slot)); c != 0 {
		return c < 0
	}
	return k.entries.at(a.slot).order < k.entries.at(b.slot).order
}

// compareBound says on which side of the entry in s the bound lies.
func (t *sorted) compareBound(s slot) int {
	if t.bound.start {
		return -1
	}
	key := t.ix.keys[0]
	c := bytes.Compare(t.bound.value, t.ix.pool.kind.row(t.ix.e, s).Field(key.Field))
	if key.Desc {
		c = -c
	}
	if c == 0 && t.bound.after {
		return 1
	}
	return cmp.Or(c, -1)
}

// walk calls fn with the slots of a group from the bound on, until fn returns false or the group ends.
// The index must not change meanwhile.
func (t *sorted) walk(group uint64, from bound, fn func(slot) bool) {
	t.bound = from
	pivot := item{group: group}
	if !from.start {
		pivot.hint = t.hint(from.value)
	}
	t.tree.Ascend(pivot, func(it item) bool {
		return it.group == group && fn(it.slot)
	})
}

// resume continues a walk after the entry in s, which must still be in the index.
func (t *sorted) resume(s slot, fn func(slot) bool) {
	it, _ := t.item(s, t.ix.pool.kind.row(t.ix.e, s))
	t.tree.Ascend(it, func(next item) bool { return next.group == it.group && (next.slot == s || fn(next.slot)) })
}

// compareKeys orders two rows by keys.
func compareKeys(keys []template.Order, a, b template.Row) int {
	for _, key := range keys {
		if c := bytes.Compare(a.Field(key.Field), b.Field(key.Field)); c != 0 {
			if key.Desc {
				return -c
			}
			return c
		}
	}
	return 0
}
