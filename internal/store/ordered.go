package store

import (
	"bytes"
	"cmp"

	"github.com/gospaces/gospaces/template"
)

// ordered is an index for ranges and orderings: a tree of the entries, grouped by a hash of the fields that templates
// fix. A group is sorted by the index's keys, or by the field whose ranges it serves, and then by age. If it serves
// ranges, entries also have a rank, which is their order by the keys, or else by age; the first by rank within a range
// is found without a scan.
type ordered struct {
	ix    *Index
	tree  tree
	place []template.Order // the order of the tree
	rank  []template.Order
}

func newOrdered(ix *Index) *ordered {
	o := &ordered{ix: ix, place: ix.Keys}
	o.tree.less = o.less
	if f, ok := ix.Ranged(); ok {
		o.place, o.rank = []template.Order{{Field: f}}, ix.Keys
		o.tree.better = o.better
	}
	return o
}

func (o *ordered) reset() { o.tree.root = nil }

func (o *ordered) add(s Slot, row template.Row) {
	if it, ok := o.item(s, row); ok {
		o.tree.insert(it)
	}
}

func (o *ordered) insert(s Slot, row template.Row) { o.add(s, row) }

func (o *ordered) remove(s Slot) {
	if it, ok := o.item(s, o.row(s)); ok {
		o.tree.remove(it)
	}
}

func (o *ordered) row(s Slot) template.Row { return o.ix.pool.table.Row(s) }

// item returns the entry's item; false if no template with this shape can match it, because a field that these fix or
// bound is null.
func (o *ordered) item(s Slot, row template.Row) (it treeItem, ok bool) {
	if it.group, ok = o.ix.pool.table.store.HashRow(row, o.ix.Eq, nil); !ok {
		return it, false
	}
	it.slot, it.order = s, o.ix.pool.table.entries.at(s).Order
	first := row.Field(o.place[0].Field)
	it.hint, it.size = prefix(first, o.place[0].Desc)
	if len(o.rank) > 0 {
		it.rank, it.rankSize = prefix(row.Field(o.rank[0].Field), o.rank[0].Desc)
	}
	return it, o.tree.better == nil || first != nil
}

func (o *ordered) less(a, b *treeItem) bool {
	if a.group != b.group {
		return a.group < b.group
	}
	if a.hint != b.hint {
		return a.hint < b.hint
	}
	if c := o.compare(o.place, a, b, a.size, b.size); c != 0 {
		return c < 0
	}
	return a.order < b.order
}

func (o *ordered) better(a, b *treeItem) bool {
	if a.rank != b.rank {
		return a.rank < b.rank
	}
	if len(o.rank) > 0 {
		if c := o.compare(o.rank, a, b, a.rankSize, b.rankSize); c != 0 {
			return c < 0
		}
	}
	return a.order < b.order
}

// compare orders entries by keys. Their values of the first key have equal prefixes, and the given sizes.
func (o *ordered) compare(keys []template.Order, a, b *treeItem, aSize, bSize uint8) int {
	if aSize != bSize {
		return cmp.Compare(aSize, bSize)
	}
	if !isLong(aSize, keys[0].Desc) {
		if keys = keys[1:]; len(keys) == 0 {
			return 0
		}
	}
	if a.slot == b.slot {
		return 0
	}
	return CompareKeys(keys, o.row(a.slot), o.row(b.slot))
}

// section is the part of an index between two cuts.
type section struct {
	o        *ordered
	group    uint64
	from, to edge
}

// edge is a cut, seen in the direction of an index.
type edge struct {
	cut
	hint uint64
	size uint8
}

// section returns the part of the index that holds the matches of conds.
func (o *ordered) section(conds []template.Cond) section {
	key := o.place[0]
	b := boundsOf(conds, key.Field)
	if key.Desc {
		b.from, b.to = b.to, b.from
	}
	edgeOf := func(c cut) edge {
		e := edge{cut: c}
		e.hint, e.size = prefix(c.value, key.Desc)
		e.after = c.after != key.Desc
		return e
	}
	return section{o: o, group: o.ix.pool.table.store.HashConds(conds, o.ix.Eq), from: edgeOf(b.from), to: edgeOf(b.to)}
}

// begun reports whether an item is past the beginning of the section.
func (s *section) begun(it *treeItem) bool {
	return it.group > s.group || it.group == s.group && (!s.from.set || s.past(it, &s.from))
}

// over reports whether an item is past the end of the section.
func (s *section) over(it *treeItem) bool {
	return it.group > s.group || it.group == s.group && s.to.set && s.past(it, &s.to)
}

func (s *section) past(it *treeItem, at *edge) bool {
	c := cmp.Or(cmp.Compare(it.hint, at.hint), cmp.Compare(it.size, at.size))
	if key := s.o.place[0]; c == 0 && isLong(it.size, key.Desc) {
		c = bytes.Compare(s.o.row(it.slot).Field(key.Field), at.value)
		if key.Desc {
			c = -c
		}
	}
	return c > 0 || c == 0 && !at.after
}

// Walk calls f with the entries of the index within the bounds of conds, in its order, until f returns false. All
// matches are among them. The index must be ordered and live, and must not change meanwhile.
func (ix *Index) Walk(conds []template.Cond, f func(Slot) bool) {
	ix.idle = 0
	s := ix.keep.(*ordered).section(conds)
	if root := s.o.tree.root; root != nil {
		root.ascend(s.begun, func(it *treeItem) bool { return !s.over(it) && f(it.slot) })
	}
}

// CompareKeys orders two rows by keys.
func CompareKeys(keys []template.Order, a, b template.Row) int {
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
