// Package store holds the entries of one partition in memory, and finds them by identity, by age, and by the values of
// their fields.
//
// It has no transactions, leases, waits or log: those are the rules of the engine, which calls it. It has no goroutine,
// clock, I/O or lock, and its answers do not depend on chance.
package store

import (
	"hash/maphash"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Store is shared by the tables of a partition: the memory for rows, the directory of identities, and the indexes that
// are being built. It must not be used concurrently.
type Store struct {
	// Following is set while the decisions of another engine are applied. Queries run there, so an unused index here is
	// kept.
	Following bool

	rows     arena
	places   directory
	chunks   int   // of entries, in all slabs of all tables
	garbage  []Ref // discarded rows, which a caller may still be reading
	building []*Index
	seed     maphash.Seed // for hashes; no result depends on it
	touched  uint32       // the sum of what touch has read; it keeps the compiler from dropping the reads
}

// New returns an empty store.
func New() *Store { return &Store{places: newDirectory(), seed: maphash.MakeSeed()} }

// Find returns the place of an entry; false if no entry has that identity.
func (st *Store) Find(id uint64) (Place, bool) { return st.places.get(id) }

// Len returns the number of entries.
func (st *Store) Len() int { return st.places.n }

// Row returns the row of size bytes at r, which stays valid until it is discarded and collected.
func (st *Store) Row(r Ref, size uint32) template.Row { return st.rows.get(r, size) }

// Discard marks a row as unused. It stays readable until Collect.
func (st *Store) Discard(r Ref) { st.garbage = append(st.garbage, r) }

// Collect frees the discarded rows.
func (st *Store) Collect() {
	for _, r := range st.garbage {
		st.rows.drop(r)
	}
	st.garbage = st.garbage[:0]
}

// Bytes returns the approximate memory of the entries in bytes, including free space for more. Indexes are not counted.
func (st *Store) Bytes() int64 { return st.rows.bytes + int64(st.chunks)*chunkBytes }

// chunkBytes is the memory of a chunk of entries, with their links and their places in the directory.
const chunkBytes = chunkSize * (cacheLine + 32)

// Building reports whether any index is being built.
func (st *Store) Building() bool { return len(st.building) > 0 }

// Build adds up to about n entries to the indexes that are being built, the oldest index first.
func (st *Store) Build(n int) {
	for n > 0 && len(st.building) > 0 {
		ix := st.building[0]
		n -= ix.fill(n)
		if ix.Live() {
			st.building = slices.Delete(st.building, 0, 1)
		}
	}
}
