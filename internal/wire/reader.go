package wire

import "io"

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
	total uint64
}

// NewReader returns a Reader of frames of at most limit bytes.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{src: src, limit: limit, buf: make([]byte, readStart)}
}

// SetLimit changes the limit from the next frame on.
func (r *Reader) SetLimit(limit int) { r.limit = limit }

// Next returns the next frame if all of it has been read; ok is false otherwise, and Fill reads on. It never blocks.
// The frame's body is valid until the next Fill. It returns ErrMalformed for what is not a frame, from then on always.
func (r *Reader) Next() (f Frame, ok bool, err error) {
	f, size, need, err := Next(r.buf[r.r:r.w], r.limit)
	r.r += size
	r.total += uint64(size)
	r.need = need
	return f, size > 0, err
}

// Total returns how many bytes Next has decoded.
func (r *Reader) Total() uint64 { return r.total }

// Buffered returns how many bytes have been read that Next has not decoded.
func (r *Reader) Buffered() int { return r.w - r.r }

// Restart sets what Total returns, for the first frame that belongs to a stream.
func (r *Reader) Restart(total uint64) { r.total = total }

// Fill reads from the connection once, which normally blocks until there is something. It returns the connection's error.
func (r *Reader) Fill() error {
	r.makeRoom()
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil // an error will come again
	}
	return err
}

// makeRoom makes the buffer longer than what it holds. The buffer grows only as bytes arrive, to twice of them at most:
// a peer that announces a long frame and does not send it costs nothing.
func (r *Reader) makeRoom() {
	full := r.w == len(r.buf)
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	switch size := len(r.buf); {
	case r.w == size, full && size < readBusy:
		size = min(2*size, max(r.need, readBusy))
		r.buf = append(make([]byte, 0, size), r.buf[:r.w]...)[:size]
	case r.w == 0 && size > readBusy:
		r.buf = make([]byte, readBusy) // a long frame has passed
	}
}
