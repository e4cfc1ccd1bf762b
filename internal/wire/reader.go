package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNoRoom is returned for a frame for which there is no memory: it is passed over, and only its type and number are
// known.
var ErrNoRoom = errors.New("wire: no memory for a frame")

// Sizes of the buffer of a Reader: it starts small, since most connections are idle most of the time.
const (
	readStart = 4 << 10
	readBusy  = 64 << 10
)

// Reader cuts the bytes of a connection into frames. It is not safe for concurrent use.
type Reader struct {
	src   io.Reader
	limit int // bytes of a frame after its length
	buf   []byte
	r, w  int // buf[r:w] has been read and not yet decoded
	need  int // what the frame at buf[r] takes, as far as it is known
	skip  int // bytes that are still to come of a frame that is passed over; it begins at buf[r]
	total uint64

	// Room, if not nil, is asked before the buffer grows beyond what a busy connection needs, and told, by a negative
	// number, what is given back.
	Room func(n int) bool
}

// NewReader returns a Reader of frames of at most limit bytes.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{src: src, limit: limit, buf: make([]byte, readStart)}
}

// SetLimit changes the limit from the next frame on.
func (r *Reader) SetLimit(limit int) { r.limit = limit }

// Next returns the next frame if all of it has been read; ok is false otherwise, and Fill reads on. It never blocks.
// The frame's body is valid until the next Fill. It returns ErrMalformed for what is not a frame, from then on always;
// and ErrNoRoom with a frame without a body, after which it goes on with the next one.
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

// Total returns how many bytes Next has decoded.
func (r *Reader) Total() uint64 { return r.total }

// Peek returns the bytes that have been read and not decoded. They are valid until the next Fill.
func (r *Reader) Peek() []byte { return r.buf[r.r:r.w] }

// Buffered returns how many bytes have been read that Next has not decoded.
func (r *Reader) Buffered() int { return r.w - r.r }

// Arrived returns how many bytes have arrived of a frame that is not complete, those that were passed over included.
func (r *Reader) Arrived() int {
	if r.skip > 0 {
		return r.need - r.skip
	}
	return r.w - r.r
}

// Restart sets what Total returns, for the first frame that belongs to a stream.
func (r *Reader) Restart(total uint64) { r.total = total }

// Fill reads from the connection once, which normally blocks until there is something. It returns the connection's
// error.
func (r *Reader) Fill() error {
	if r.skip > 0 || !r.makeRoom() {
		return r.passOver()
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil // an error will come again
	}
	return err
}

// passed says that a frame was passed over, and Next has yet to tell so.
const passed = -1

// passOver reads on in a frame for which there is no room: of what is read only its beginning is kept.
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

// frameHead is more than a frame has before its body.
const frameHead = lengthSize + 1 + binary.MaxVarintLen64

// passedOver returns the frame that was passed over.
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

// Close gives back what the buffer has taken of Room. The Reader must not be used any more.
func (r *Reader) Close() {
	if extra := len(r.buf) - readBusy; extra > 0 && r.Room != nil {
		r.Room(-extra)
	}
	r.buf = nil
}

// makeRoom makes the buffer longer than what it holds, or reports false if it must not. The buffer grows only as bytes
// arrive, to twice of them at most: a peer that announces a long frame and does not send it costs nothing.
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
		size = grown
		r.buf = append(make([]byte, 0, size), r.buf[:r.w]...)[:size]
	case r.w == 0 && size > readBusy:
		r.buf = make([]byte, readBusy) // a long frame has passed
		if r.Room != nil {
			r.Room(readBusy - size)
		}
	}
	return true
}
