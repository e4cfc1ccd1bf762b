package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNoRoom is returned for a frame for which there is no memory: it is skipped, and only its type and number are
// known.
var ErrNoRoom = errors.New("wire: no memory for a frame")

// Sizes of a Reader's buffer: it starts small, since most connections are idle most of the time.
const (
	readStart = 4 << 10
	readBusy  = 64 << 10
)

// Reader cuts the bytes of a connection into frames. It must not be used concurrently.
type Reader struct {
	src   io.Reader
	limit int // bytes of a frame after its length
	buf   []byte
	long  *longBuffer // that of buf, for a long frame
	busy  []byte      // what buf was before, and is afterwards
	r, w  int         // buf[r:w] was read and is not decoded yet
	need  int         // size of the frame at buf[r], as far as known
	skip  int         // bytes still to come of a frame that is skipped; it begins at buf[r]
	total uint64

	// Room, if not nil, is called before the buffer grows beyond the size for busy connections, and returns whether it
	// may; a negative n returns memory.
	Room func(n int) bool
}

// NewReader returns a Reader of frames of at most limit bytes.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{src: src, limit: limit, buf: make([]byte, readStart)}
}

// SetLimit changes the limit from the next frame on.
func (r *Reader) SetLimit(limit int) { r.limit = limit }

// Next returns the next frame if all of it was read; otherwise ok is false, and the caller must call Fill. Next never
// blocks. The frame's body is valid until the next Fill. Next returns ErrMalformed for bytes that are not a frame, and
// keeps returning it; and ErrNoRoom with a frame without a body, after which it continues with the next frame.
func (r *Reader) Next() (f Frame, ok bool, err error) {
	if r.skip > 0 {
		return f, false, nil
	}
	if r.skip < 0 {
		return r.passedOver()
	}
	f, size, need, err := Next(r.buf[r.r:r.w], r.limit)
	r.r += size
	r.total += uint64(size)
	r.need = need
	return f, size > 0, err
}

// Total returns the number of bytes that Next has decoded.
func (r *Reader) Total() uint64 { return r.total }

// Peek returns the bytes that were read and are not decoded. They are valid until the next Fill.
func (r *Reader) Peek() []byte { return r.buf[r.r:r.w] }

// Buffered returns the number of bytes that were read and not decoded.
func (r *Reader) Buffered() int { return r.w - r.r }

// Arrived returns the number of bytes that have arrived of an incomplete frame, including skipped ones.
func (r *Reader) Arrived() int {
	if r.skip > 0 {
		return r.need - r.skip
	}
	return r.w - r.r
}

// Restart sets Total, for the first frame of a stream.
func (r *Reader) Restart(total uint64) { r.total = total }

// Fill reads from the connection once, which usually blocks until data arrives. It returns the connection's error.
func (r *Reader) Fill() error {
	if r.skip > 0 || !r.makeRoom() {
		return r.passOver()
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil // a persistent error will come again
	}
	return err
}

// passed marks a frame that was skipped, which Next has yet to report.
const passed = -1

// passOver continues to read a frame for which there is no memory, and keeps only its beginning.
func (r *Reader) passOver() error {
	if r.skip == 0 {
		r.skip = r.need - (r.w - r.r)
	}
	rest := r.buf[r.r+frameHead:]
	n, err := r.src.Read(rest[:min(len(rest), r.skip)])
	if r.skip -= n; r.skip == 0 {
		r.skip = passed
	}
	if n > 0 {
		return nil
	}
	return err
}

// frameHead is the maximum size of a frame before its body.
const frameHead = lengthSize + 1 + binary.MaxVarintLen64

// passedOver returns the frame that was skipped.
func (r *Reader) passedOver() (f Frame, ok bool, err error) {
	id, w := uvarint(r.buf[r.r+lengthSize+1 : r.w])
	if w <= 0 || id > MaxCall {
		return f, false, fmt.Errorf("%w: bad number", ErrMalformed)
	}
	f = Frame{Type: Type(r.buf[r.r+lengthSize]), ID: id}
	r.total += uint64(r.need)
	r.r, r.w, r.need, r.skip = 0, 0, 0, 0
	return f, true, ErrNoRoom
}

// Close returns the memory that the buffer has taken from Room. The Reader must not be used afterwards.
func (r *Reader) Close() {
	if extra := len(r.buf) - readBusy; extra > 0 && r.Room != nil {
		r.Room(-extra)
	}
	r.buf = nil
}

// makeRoom grows the buffer, or returns false if it must not. The buffer is at most twice the bytes that have arrived:
// a peer that announces a long frame without sending it costs nothing.
func (r *Reader) makeRoom() bool {
	full := r.w == len(r.buf)
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	switch size := len(r.buf); {
	case r.w == size, full && size < readBusy:
		grown := min(2*size, max(r.need, readBusy))
		if grown > readBusy && r.Room != nil && !r.Room(grown-max(size, readBusy)) {
			return false
		}
		r.grow(grown)
	case r.w == 0 && size > readBusy:
		r.shorten() // after a long frame
		if r.Room != nil {
			r.Room(readBusy - size)
		}
	}
	return true
}

// grow moves what was read to a buffer of size bytes.
func (r *Reader) grow(size int) {
	buf, before := r.buf, r.long
	if size <= readBusy {
		r.buf = append(make([]byte, 0, size), buf[:r.w]...)[:size]
		return
	}
	r.long = newLongBuffer(size)
	r.buf = r.long.b[:size]
	copy(r.buf, buf[:r.w])
	if before == nil {
		r.busy = buf
		return
	}
	before.free()
}

// shorten goes back from the buffer for a long frame, which is empty.
func (r *Reader) shorten() {
	r.long.free()
	r.buf, r.busy, r.long = r.busy, nil, nil
}
