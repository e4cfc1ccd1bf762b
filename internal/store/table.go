package store

import "github.com/gospaces/gospaces/template"

// Entry is one stored entry. It holds no pointer, so that the collector skips millions of them, and fills one line of
// the processor's cache.
type Entry struct {
	ID       uint64 // 0: the slot is vacant
	Order    uint64 // rises with visibility
	Expires  int64
	LSN      uint64 // of the change that made it what it is
	Row      Ref
	Size     uint32 // of the row, in bytes
	Version  uint32
	Attempts uint32
	State    State
	Imaged   uint16 // number of the last image that need not show it any more
	_        [cacheLine - 56]byte
}

// State says which pool of its table an entry is in: Free, Shared, or for any other value none. What those mean is the
// owner's to say.
type State uint8

// The states of entries that are in a pool.
const (
	Free   State = iota // any call may have it
	Shared              // any call may read it
)

// Table is the entries of one kind. Each has a slot, a row, and a place in the directory; those that are in state Free
// or Shared are in the pool of that name, too.
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

// Init makes t the empty table of a kind. It must not be copied or moved.
func (t *Table) Init(st *Store, kind uint32) {
	t.store, t.kind = st, kind
	t.Free = Pool{table: t, state: Free}
	t.Shared = Pool{table: t, state: Shared}
}

// Add stores an entry and returns its slot. It is in no pool yet.
func (t *Table) Add(en Entry, row template.Row) Slot {
	s := t.vacantSlot()
	t.bytes += len(row)
	en.Row, en.Size = t.store.rows.put(row), uint32(len(row))
	*t.entries.at(s) = en
	t.store.places.put(en.ID, Place{t.kind, s})
	return s
}

// Delete removes an entry. Its row is discarded. When it was the last one of very many the table gives back its memory:
// that is reported.
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

// shrink gives back what a table that has become empty kept for many entries, and reports whether it did.
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

// SetRow gives the entry in slot s another row, of which it takes a copy. The one that it had is discarded.
func (t *Table) SetRow(s Slot, row template.Row) {
	was, _ := t.SwapRow(s, row)
	t.store.Discard(was)
}

// SwapRow is SetRow, but keeps the row that the entry had, and returns its place and size.
func (t *Table) SwapRow(s Slot, row template.Row) (was Ref, size uint32) {
	en := t.entries.at(s)
	was, size = en.Row, en.Size
	t.setRow(en, t.store.rows.put(row), uint32(len(row)))
	return was, size
}

// ResetRow gives the entry in slot s the row back that SwapRow has returned. The one that it has is discarded.
func (t *Table) ResetRow(s Slot, was Ref, size uint32) {
	en := t.entries.at(s)
	t.store.Discard(en.Row)
	t.setRow(en, was, size)
}

func (t *Table) setRow(en *Entry, r Ref, size uint32) {
	t.bytes += int(size) - int(en.Size)
	en.Row, en.Size = r, size
}

// At returns the entry in slot s, which has been in use. It stays valid until the table is empty.
func (t *Table) At(s Slot) *Entry { return t.entries.at(s) }

// Row returns the fields of the entry in slot s. They stay readable until they are discarded and collected.
func (t *Table) Row(s Slot) template.Row {
	en := t.entries.at(s)
	return t.store.rows.get(en.Row, en.Size)
}

// Top returns the highest slot that was ever in use since the table was empty.
func (t *Table) Top() Slot { return t.top }

// Used returns the number of entries, whatever their state.
func (t *Table) Used() int { return t.used }

// RowBytes returns the number of bytes of their rows.
func (t *Table) RowBytes() int { return t.bytes }

// Fits reports whether there is memory for an entry of size bytes that nothing else takes.
func (t *Table) Fits(size int) bool { return len(t.vacant) > 0 && t.store.rows.fits(size) }

// older reports whether the entry in slot a comes before the one in slot b.
func (t *Table) older(a, b Slot) bool { return t.entries.at(a).Order < t.entries.at(b).Order }
