package store

import "github.com/gospaces/gospaces/template"

// Entry is the fixed part of a stored entry. It has no pointer, so the garbage collector skips millions of them, and
// fits one cache line.
type Entry struct {
	ID       uint64 // 0: the slot is vacant
	Order    uint64 // rises with visibility
	Expires  int64
	LSN      uint64 // position of its last change
	Row      Ref
	Size     uint32 // of the row in bytes
	Version  uint32
	Attempts uint32
	State    State
	Imaged   uint16 // number of the last image that no longer needs it
	_        [cacheLine - 56]byte
}

// State is the pool of an entry: Free, Shared, or none for any other value, whose meaning the caller defines.
type State uint8

// States of entries that are in a pool.
const (
	Free   State = iota // may be taken by any call
	Shared              // may be read by any call
)

// Table holds the entries of one kind. Each has a slot, a row, and a place in the directory; entries in state Free or
// Shared are also in that pool.
type Table struct {
	Free   Pool
	Shared Pool

	store   *Store
	kind    uint32
	entries slab[Entry]
	used    int // slots in use
	bytes   int // of the rows
	top     Slot
	vacant  []Slot
}

// Init makes t the empty table of a kind. t must not be copied or moved afterwards.
func (t *Table) Init(st *Store, kind uint32) {
	t.store, t.kind = st, kind
	t.Free = Pool{table: t, state: Free}
	t.Shared = Pool{table: t, state: Shared}
}

// Add stores an entry, in no pool yet, and returns its slot.
func (t *Table) Add(en Entry, row template.Row) Slot {
	s := t.vacantSlot()
	t.bytes += len(row)
	en.Row, en.Size = t.store.rows.put(row), uint32(len(row))
	*t.entries.at(s) = en
	t.store.places.put(en.ID, Place{t.kind, s})
	return s
}

// Delete removes an entry and discards its row. If it was the last of very many entries, the table gives back its
// memory and Delete returns true.
func (t *Table) Delete(s Slot) (shrunk bool) {
	en := t.entries.at(s)
	switch en.State {
	case Free:
		t.Free.Remove(s)
	case Shared:
		t.Shared.Remove(s)
	}
	t.store.places.remove(en.ID)
	t.store.Discard(en.Row)
	t.bytes -= int(en.Size)
	en.ID = 0
	t.vacant = append(t.vacant, s)
	if t.used--; t.used == 0 {
		return t.shrink()
	}
	return false
}

// vacantSlot returns a slot for a new entry.
func (t *Table) vacantSlot() Slot {
	t.used++
	if n := len(t.vacant); n > 0 {
		s := t.vacant[n-1]
		t.vacant = t.vacant[:n-1]
		return s
	}
	t.top++
	have := len(t.entries.chunks)
	t.entries.reach(t.top)
	t.store.chunks += len(t.entries.chunks) - have
	return t.top
}

// shrink gives back the memory of a table that has become empty, and reports whether there was much of it.
func (t *Table) shrink() bool {
	if t.top < 16*chunkSize {
		return false
	}
	t.store.chunks -= len(t.entries.chunks)
	t.entries, t.vacant, t.top = slab[Entry]{}, nil, 0
	t.Free.reset()
	t.Shared.reset()
	return true
}

// SetRow replaces the row of the entry in slot s by a copy of row, and discards the old one.
func (t *Table) SetRow(s Slot, row template.Row) {
	was, _ := t.SwapRow(s, row)
	t.store.Discard(was)
}

// SwapRow is SetRow that keeps the old row, and returns its place and size.
func (t *Table) SwapRow(s Slot, row template.Row) (was Ref, size uint32) {
	en := t.entries.at(s)
	was, size = en.Row, en.Size
	t.setRow(en, t.store.rows.put(row), uint32(len(row)))
	return was, size
}

// ResetRow gives the entry in slot s back the row that SwapRow returned, and discards the current one.
func (t *Table) ResetRow(s Slot, was Ref, size uint32) {
	en := t.entries.at(s)
	t.store.Discard(en.Row)
	t.setRow(en, was, size)
}

func (t *Table) setRow(en *Entry, r Ref, size uint32) {
	t.bytes += int(size) - int(en.Size)
	en.Row, en.Size = r, size
}

// At returns the entry in slot s, which must have been used. The pointer stays valid until the table is empty.
func (t *Table) At(s Slot) *Entry { return t.entries.at(s) }

// Row returns the row of the entry in slot s. It stays readable until it is discarded and collected.
func (t *Table) Row(s Slot) template.Row {
	en := t.entries.at(s)
	return t.store.rows.get(en.Row, en.Size)
}

// Top returns the highest slot used since the table was last empty.
func (t *Table) Top() Slot { return t.top }

// Used returns the number of entries in any state.
func (t *Table) Used() int { return t.used }

// RowBytes returns the number of bytes of all rows.
func (t *Table) RowBytes() int { return t.bytes }

// Fits reports whether an entry of size bytes fits into free memory that serves nothing else.
func (t *Table) Fits(size int) bool { return len(t.vacant) > 0 && t.store.rows.fits(size) }

// older reports whether the entry in slot a precedes the one in slot b.
func (t *Table) older(a, b Slot) bool { return t.entries.at(a).Order < t.entries.at(b).Order }
