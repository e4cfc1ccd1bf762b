package store

// Slot is the place of an entry in its table; 0 is none.
type Slot = uint32

const (
	chunkShift = 10
	chunkSize  = 1 << chunkShift
)

// slab is an array by slot that grows without moving and holds few pointers: it consists of chunks of T, and T should
// contain no pointers. Slabs of one table run in parallel: the entry in a slot has its parts at that slot in each of
// them.
type slab[T any] struct {
	chunks [][]T
}

// at returns the element at s, which must be within reach.
func (b *slab[T]) at(s Slot) *T { return &b.chunks[s>>chunkShift][s&(chunkSize-1)] }

// reach grows the slab so that at(s) is valid.
func (b *slab[T]) reach(s Slot) {
	for int(s>>chunkShift) >= len(b.chunks) {
		b.chunks = append(b.chunks, make([]T, chunkSize))
	}
}
