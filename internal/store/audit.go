package store

import "fmt"

// Audit compares every counter with a full count, and returns an error if one is wrong. tables must be all tables of
// the store. It visits every entry, and is meant for tests.
func (st *Store) Audit(tables ...*Table) error {
	chunks, entries := 0, 0
	for _, t := range tables {
		used, bytes := 0, 0
		for s := Slot(1); s <= t.top; s++ {
			if en := t.entries.at(s); en.ID != 0 {
				used++
				bytes += int(en.Size)
			}
		}
		if used != t.used || bytes != t.bytes {
			return fmt.Errorf("store: table %d counts %d entries, %d bytes, and has %d, %d", t.kind, t.used, t.bytes, used,
				bytes)
		}
		chunks += len(t.entries.chunks)
		entries += used
	}
	if chunks != st.chunks || entries != st.places.n || st.rows.size() != st.rows.bytes {
		return fmt.Errorf("store: counted are %d chunks, %d entries, %d bytes of rows, and there are %d, %d, %d",
			st.chunks, st.places.n, st.rows.bytes, chunks, entries, st.rows.size())
	}
	return nil
}

// size returns the bytes of all blocks and large rows.
func (a *arena) size() (n int64) {
	for i := range a.classes {
		c := &a.classes[i]
		for j := range c.blocks {
			n += int64(len(c.blocks[j].data))
		}
	}
	for _, row := range a.large {
		n += int64(len(row))
	}
	return n
}
