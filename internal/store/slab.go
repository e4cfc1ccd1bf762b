package store

// Slot is the place of an entry within its table; 0 is none.
type Slot = uint32

const (
	chunkShift = 10
	chunkSize  = 1 << chunkShift
)

// slab is an array by slot that grows without moving and holds few pointers: chunks of T, which should hold none.
// Slabs of one kind run in parallel: what belongs to the entry in a slot is at that slot in each.
type slab[T any] struct {
	chunks [][]T
}

// at returns the element at s, which must have been reached before.
func (b *slab[T]) at(s Slot) *T { return &b.chunks[s>>chunkShift][s&(chunkSize-1)] }

// reach makes at(s) valid.
func (b *slab[T]) reach(s Slot) {
	for int(s>>chunkShift) >= len(b.chunks) {
		b.chunks = append(b.chunks, make([]T, chunkSize))
	}
}
