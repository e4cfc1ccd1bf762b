package store

import (
	"hash/maphash"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Index finds the entries of a pool by the values of some fields. It is worth starting when calls have paid more for
// its absence than it costs (Pool.Pay), and is built in steps (Store.Build). Until it is live it is maintained but not
// used.
type Index struct {
	pool *Pool
	Shape
	keep keeper

	next Slot // while filling: the oldest entry that is not in the index yet; 0 once the index is live
	size int  // entries in it
	idle int  // changes since the index was last asked

	dropped bool // removed from its pool
}

// keeper is one of the two structures of an index: hashed for equality, ordered for ranges and orderings.
type keeper interface {
	add(s Slot, row template.Row)
	insert(s Slot, row template.Row) // add, for an entry that need not be the youngest
	remove(s Slot)
	reset()
}

// idleLimit is the number of changes, besides four for each entry, after which an unused index is dropped.
const idleLimit = 200_000

func newIndex(p *Pool, sh Shape) *Index {
	ix := &Index{pool: p, Shape: sh, next: p.all.head}
	if sh.Hashed() {
		ix.keep = &hashed{ix: ix, buckets: map[uint64]uint32{}, made: 1}
	} else {
		ix.keep = newOrdered(ix)
	}
	return ix
}

// Live reports whether the index is complete, and in use.
func (ix *Index) Live() bool { return ix.next == 0 }

// covers reports whether the entry in slot s is in the index.
func (ix *Index) covers(s Slot) bool {
	return ix.Live() || ix.pool.table.older(s, ix.next)
}

// touched counts a change that the index has to follow. Changes that come from the log do not count: the calls that use
// the index are on another node.
func (ix *Index) touched() {
	if !ix.pool.table.store.Following {
		ix.idle++
	}
}

// appended is called after the entry in slot s has become the youngest of its pool.
func (ix *Index) appended(s Slot, row template.Row) {
	ix.touched()
	if ix.Live() {
		ix.keep.add(s, row)
		ix.size++
	}
}

// inserted is called after the entry in slot s was inserted at its place in the order.
func (ix *Index) inserted(s Slot, row template.Row) {
	ix.touched()
	if ix.covers(s) {
		ix.keep.insert(s, row)
		ix.size++
	}
}

// deleting is called before the entry in slot s leaves its pool.
func (ix *Index) deleting(s Slot) {
	ix.touched()
	if ix.covers(s) {
		ix.keep.remove(s)
		ix.size--
	} else if s == ix.next {
		ix.advance()
	}
}

// fill adds up to n more entries, and returns how many it added.
func (ix *Index) fill(n int) (done int) {
	for ; done < n && !ix.Live(); done++ {
		ix.keep.add(ix.next, ix.pool.table.Row(ix.next))
		ix.size++
		ix.advance()
	}
	return done
}

func (ix *Index) advance() { ix.next = ix.pool.order.at(ix.next).next }

// reset empties the index of a pool that has become empty.
func (ix *Index) reset() {
	ix.next, ix.size = 0, 0
	ix.keep.reset()
}

// hashed is an index for equality: for each combination of values it has the list of its entries, oldest first.
type hashed struct {
	ix      *Index
	buckets map[uint64]uint32 // hash of the values to its list
	lists   slab[List]        // the first is unused
	made    uint32            // number of lists, including the unused one
	free    []uint32
	links   Links
	in      slab[uint32] // the list of each Slot; 0: none, because a field is null
}

func (h *hashed) add(s Slot, row template.Row) {
	if b := h.bucket(s, row); b != 0 {
		h.lists.at(b).Append(&h.links, s)
	}
}

func (h *hashed) insert(s Slot, row template.Row) {
	if b := h.bucket(s, row); b != 0 {
		h.lists.at(b).insert(&h.links, s, h.ix.pool.table, func(o Slot) bool { return *h.in.at(o) == b && h.ix.covers(o) })
	}
}

// bucket returns the list for an entry, creates it if necessary, and records it; 0 if a field is null.
func (h *hashed) bucket(s Slot, row template.Row) uint32 {
	var b uint32
	if hash, ok := h.ix.pool.table.store.HashRow(row, h.ix.Eq, nil); ok {
		if b = h.buckets[hash]; b == 0 {
			b = h.newList()
			h.buckets[hash] = b
		}
	}
	h.in.reach(s)
	*h.in.at(s) = b
	return b
}

func (h *hashed) remove(s Slot) {
	b := *h.in.at(s)
	if b == 0 {
		return
	}
	*h.in.at(s) = 0
	l := h.lists.at(b)
	l.Remove(&h.links, s)
	if l.n == 0 {
		hash, _ := h.ix.pool.table.store.HashRow(h.ix.pool.table.Row(s), h.ix.Eq, nil)
		delete(h.buckets, hash)
		h.free = append(h.free, b)
	}
}

func (h *hashed) newList() uint32 {
	if n := len(h.free); n > 0 {
		b := h.free[n-1]
		h.free = h.free[:n-1]
		*h.lists.at(b) = List{}
		return b
	}
	h.made++
	h.lists.reach(h.made - 1)
	return h.made - 1
}

func (h *hashed) reset() {
	h.buckets, h.lists, h.made, h.free = map[uint64]uint32{}, slab[List]{}, 1, nil
	h.links, h.in = Links{}, slab[uint32]{}
}

// list returns the list for a hash of field values, or nil.
func (h *hashed) list(hash uint64) *List {
	b := h.buckets[hash]
	if b == 0 {
		return nil
	}
	return h.lists.at(b)
}

// HashRow hashes the values of fields in row; false if one of them is null. at, if not nil, maps the fields to
// positions in the row. The seed is random, so that no client can cause collisions; no result depends on a hash.
func (st *Store) HashRow(row template.Row, fields FieldSet, at []int) (uint64, bool) {
	var h uint64
	for f := range fields.All() {
		if at != nil {
			f = at[f]
		}
		v := row.Field(f)
		if v == nil {
			return 0, false
		}
		h = h*hashFactor + maphash.Bytes(st.seed, v)
	}
	return h, true
}

// HashConds hashes the operands of the equality conditions on fields.
func (st *Store) HashConds(conds []template.Cond, fields FieldSet) uint64 {
	var h uint64
	for f := range fields.All() {
		for i := range conds {
			if c := &conds[i]; c.Field == f && c.Op == template.Eq {
				h = h*hashFactor + maphash.Bytes(st.seed, c.Value)
				break
			}
		}
	}
	return h
}

const hashFactor = 0x9e3779b97f4a7c15

// Start gives an index to a pool, and Store.Build completes it in steps while the pool changes. From then on it is
// used, until Drop.

// MaxIndexes is the maximum number of indexes of a pool.
const MaxIndexes = 8

// Index returns the index of exactly this shape, or nil.
func (p *Pool) Index(sh Shape) *Index {
	for _, ix := range p.indexes {
		if ix.Equal(sh) {
			return ix
		}
	}
	return nil
}

// Indexes returns the indexes of p. The slice is the pool's own.
func (p *Pool) Indexes() []*Index { return p.indexes }

// Start creates an index of the given shape, of which p has none yet.
func (p *Pool) Start(sh Shape) {
	ix := newIndex(p, sh)
	p.indexes = append(p.indexes, ix)
	if !ix.Live() {
		p.table.store.building = append(p.table.store.building, ix)
	}
}

// Drop removes an index from p.
func (p *Pool) Drop(ix *Index) {
	ix.dropped = true
	is := func(o *Index) bool { return o == ix }
	p.indexes = slices.DeleteFunc(p.indexes, is)
	p.table.store.building = slices.DeleteFunc(p.table.store.building, is)
}

// Idlest returns the least recently used index.
func (p *Pool) Idlest() *Index {
	return slices.MaxFunc(p.indexes, func(a, b *Index) int { return a.idle - b.idle })
}

// Useless returns an index that has been unused for so long that it costs more than it saves, or nil.
func (p *Pool) Useless() *Index {
	for _, ix := range p.indexes {
		if ix.Live() && ix.idle > idleLimit+4*int(p.all.n) {
			return ix
		}
	}
	return nil
}

// Pending reports whether the index is still being built.
func (ix *Index) Pending() bool { return !ix.Live() && !ix.dropped }

// Len returns the number of entries of the pool.
func (ix *Index) Len() int { return ix.pool.Len() }

// Lacks returns how many entries of the pool are not in the index yet.
func (ix *Index) Lacks() int { return ix.pool.Len() - ix.size }
