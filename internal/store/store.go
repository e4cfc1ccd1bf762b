// Package store holds the entries of one partition in memory, and finds them: by identity, by age, and by what their
// fields hold.
//
// It knows no transaction, lease, wait or log: those are the rules of the engine, which tells it what to keep where. It
// has no goroutine, clock, I/O or lock, and nothing that it answers depends on chance.
package store

import (
	"hash/maphash"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Store is what the tables of a partition share: the memory for rows, the directory of identities, and the indexes that
// are being built. It must not be used concurrently.
type Store struct {
	// Following is set while the decisions of another engine are applied: its calls ask indexes, and this one's need
	// not be asked to be kept.
	Following bool

	rows     arena
	places   directory
	chunks   int   // of entries, in the slabs of all tables
	garbage  []Ref // rows of which nothing is left but what a caller may be reading
	building []*Index
	seed     maphash.Seed // of hashes; no result depends on it
	touched  uint32       // what touch has read: used for nothing, but it keeps the compiler from dropping the reads
}

// New returns an empty store.
func New() *Store { return &Store{places: newDirectory(), seed: maphash.MakeSeed()} }

// Find returns where the entry with an identity is; false if there is none.
func (st *Store) Find(id uint64) (Place, bool) { return st.places.get(id) }

// Len returns the number of entries.
func (st *Store) Len() int { return st.places.n }

// Row returns the row of size bytes at r, which stays valid until it is collected.
func (st *Store) Row(r Ref, size uint32) template.Row { return st.rows.get(r, size) }

// Discard lets go of a row. It stays readable until Collect.
func (st *Store) Discard(r Ref) { st.garbage = append(st.garbage, r) }

// Collect frees the rows that were discarded.
func (st *Store) Collect() {
	for _, r := range st.garbage {
		st.rows.drop(r)
	}
	st.garbage = st.garbage[:0]
}

// Bytes returns about how many bytes the entries take, those that are free for more included. Indexes are not counted.
func (st *Store) Bytes() int64 { return st.rows.bytes + int64(st.chunks)*chunkBytes }

// chunkBytes is what a chunk of entries takes, with their links and their places in the directory.
const chunkBytes = chunkSize * (cacheLine + 32)

// Building reports whether there are indexes to be built.
func (st *Store) Building() bool { return len(st.building) > 0 }

// Build adds up to about n entries to the indexes that are being built, the oldest of these first.
func (st *Store) Build(n int) {
	for n > 0 && len(st.building) > 0 {
		ix := st.building[0]
		n -= ix.fill(n)
		if ix.Live() {
			st.building = slices.Delete(st.building, 0, 1)
		}
	}
}
