package wire

import (
	"math/bits"
	"sync"
)

// longBuffer is a buffer for frames that are longer than those of a busy connection. Connections share them: one is
// used only while such a frame is read, so that bulk calls neither allocate each time nor keep memory when they end.
type longBuffer struct{ b []byte }

// longBuffers has the free ones by size: of readBusy<<1 bytes, readBusy<<2, and so on. Longer ones are not kept.
var longBuffers [5]sync.Pool

// longClass returns the place of the smallest buffers in longBuffers that have size bytes, a number above readBusy.
func longClass(size int) int { return bits.Len(uint(size-1)/readBusy) - 1 }

// newLongBuffer returns a buffer of size bytes or more, a number above readBusy.
func newLongBuffer(size int) *longBuffer {
	class := longClass(size)
	if class >= len(longBuffers) {
		return &longBuffer{make([]byte, size)}
	}
	if l, _ := longBuffers[class].Get().(*longBuffer); l != nil {
		return l
	}
	return &longBuffer{make([]byte, readBusy<<(class+1))}
}

// free gives the buffer to others. Its content must not be used any more.
func (l *longBuffer) free() {
	if class := longClass(len(l.b)); class < len(longBuffers) {
		longBuffers[class].Put(l)
	}
}
