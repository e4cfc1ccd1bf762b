package engine

import (
	"hash/maphash"

	"github.com/gospaces/gospaces/template"
)

// index finds the entries of a kind by what they hold in some fields. It starts by itself, when calls have paid
// more for doing without it than it costs (demand.go), and is built beside the calls (upkeep.go). Until it is live it is
// maintained but not asked.
type index struct {
	pool *pool
	e    *Engine
	shape
	store indexStore

	next slot // while filling: the oldest entry that is not in the index yet; 0 once the index is live
	idle int  // changes since the index was last asked

	dropped bool // it is nobody's any more
}

// indexStore is the two ways to keep an index: hashed for equality, ordered for ranges and orderings.
type indexStore interface {
	add(s slot, row template.Row)
	insert(s slot, row template.Row) // add, of an entry that need not be the youngest
	remove(s slot)
	reset()
}

// idleLimit is how many changes an index survives without being asked, beyond four for each entry.
const idleLimit = 200_000

func (e *Engine) newIndex(p *pool, sh shape) *index {
	ix := &index{pool: p, e: e, shape: sh, next: p.all.head}
	if sh.hashed() {
		ix.store = &hashed{ix: ix, buckets: map[uint64]uint32{}, made: 1}
	} else {
		ix.store = newOrdered(ix)
	}
	return ix
}

func (ix *index) live() bool { return ix.next == 0 }

// covers reports whether the entry in slot s is in the index.
func (ix *index) covers(s slot) bool {
	return ix.live() || ix.pool.kind.older(s, ix.next)
}

// touched counts a change that the index has to follow. Changes that come from the log do not count: those who asked the index are elsewhere.
func (ix *index) touched() {
	if !ix.e.follow {
		ix.idle++
	}
}

// appended is called after the entry in slot s has become the youngest of its pool.
func (ix *index) appended(s slot, row template.Row) {
	ix.touched()
	if ix.live() {
		ix.store.add(s, row)
	}
}

// inserted is called after the entry in slot s was linked in by its order.
func (ix *index) inserted(s slot, row template.Row) {
	ix.touched()
	if ix.covers(s) {
		ix.store.insert(s, row)
	}
}

// deleting is called before the entry in slot s leaves its pool.
func (ix *index) deleting(s slot) {
	ix.touched()
	if ix.covers(s) {
		ix.store.remove(s)
	} else if s == ix.next {
		ix.advance()
	}
}

// fill adds the next n entries, or fewer, and returns how many.
func (ix *index) fill(n int) (done int) {
	for ; done < n && !ix.live(); done++ {
		ix.store.add(ix.next, ix.pool.kind.row(ix.e, ix.next))
		ix.advance()
	}
	return done
}

func (ix *index) advance() { ix.next = ix.pool.order.at(ix.next).next }

// reset empties the index of a pool that has become empty.
func (ix *index) reset() {
	ix.next = 0
	ix.store.reset()
}

// hashed is an index for equality: for each combination of values the entries that hold it, oldest first.
type hashed struct {
	ix      *index
	buckets map[uint64]uint32 // hash of the values to its list
	lists   slab[list]        // the first is not used
	made    uint32            // lists, that one included
	free    []uint32
	links   slab[link]
	in      slab[uint32] // the list of each slot; 0: none, a field is null
}

func (h *hashed) add(s slot, row template.Row) {
	if b := h.bucket(s, row); b != 0 {
		h.lists.at(b).pushBack(&h.links, s)
	}
}

func (h *hashed) insert(s slot, row template.Row) {
	if b := h.bucket(s, row); b != 0 {
		h.lists.at(b).insert(&h.links, s, h.ix.pool.kind, func(o slot) bool { return *h.in.at(o) == b && h.ix.covers(o) })
	}
}

// bucket returns the list for an entry, made if need be, and notes it; 0 if a field is null.
func (h *hashed) bucket(s slot, row template.Row) uint32 {
	var b uint32
	if hash, ok := h.ix.e.hashRow(row, h.ix.eq, nil); ok {
		if b = h.buckets[hash]; b == 0 {
			b = h.newList()
			h.buckets[hash] = b
		}
	}
	h.in.reach(s)
	*h.in.at(s) = b
	return b
}

func (h *hashed) remove(s slot) {
	b := *h.in.at(s)
	if b == 0 {
		return
	}
	*h.in.at(s) = 0
	l := h.lists.at(b)
	l.remove(&h.links, s)
	if l.n == 0 {
		hash, _ := h.ix.e.hashRow(h.ix.pool.kind.row(h.ix.e, s), h.ix.eq, nil)
		delete(h.buckets, hash)
		h.free = append(h.free, b)
	}
}

func (h *hashed) newList() uint32 {
	if n := len(h.free); n > 0 {
		b := h.free[n-1]
		h.free = h.free[:n-1]
		*h.lists.at(b) = list{}
		return b
	}
	h.made++
	h.lists.reach(h.made - 1)
	return h.made - 1
}

func (h *hashed) reset() {
	h.buckets, h.lists, h.made, h.free = map[uint64]uint32{}, slab[list]{}, 1, nil
	h.links, h.in = slab[link]{}, slab[uint32]{}
}

// list returns the entries whose fields have the given hash, or nil.
func (h *hashed) list(hash uint64) *list {
	b := h.buckets[hash]
	if b == 0 {
		return nil
	}
	return h.lists.at(b)
}

// hashRow hashes the values of fields in row; false if one of them is null. at maps the fields to the row's own, if not nil.
// The seed is random, so that nobody can make keys collide; no result depends on a hash.
func (e *Engine) hashRow(row template.Row, fields fieldSet, at []int) (uint64, bool) {
	var h uint64
	for f := range fields.all() {
		if at != nil {
			f = at[f]
		}
		v := row.Field(f)
		if v == nil {
			return 0, false
		}
		h = h*hashFactor + maphash.Bytes(e.seed, v)
	}
	return h, true
}

// hashConds hashes the operands of the conditions that say what fields equal.
func (e *Engine) hashConds(conds []template.Cond, fields fieldSet) uint64 {
	var h uint64
	for f := range fields.all() {
		for i := range conds {
			if c := &conds[i]; c.Field == f && c.Op == template.Eq {
				h = h*hashFactor + maphash.Bytes(e.seed, c.Value)
				break
			}
		}
	}
	return h
}

const hashFactor = 0x9e3779b97f4a7c15
