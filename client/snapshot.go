package client

import (
	"context"
	"fmt"
	"io"

	"github.com/gospaces/gospaces/internal/wire"
)

// Snapshot makes the server take a snapshot of the space now, and returns the position in the log of the last change that it includes. It blocks until
// the snapshot is on the disk. It returns space.ErrInvalidArgument if the server keeps no log.
func (s *Space) Snapshot(ctx context.Context) (position uint64, err error) {
	c := newCall(s, wire.Snapshot)
	defer c.free()
	if err := s.client.do(ctx, c); err != nil {
		return 0, err
	}
	d := wire.NewDecoder(c.body)
	position = d.Uvarint()
	return position, d.Err()
}

// Fetch copies the snapshot at a position, which Snapshot has returned, to the Writer that to returns when it is called with the number of bytes. It
// blocks until all are written, and returns the first error of to, the Writer, or the call; space.ErrUnavailable tells that
// the snapshot is gone: a server keeps the last two.
func (s *Space) Fetch(ctx context.Context, position uint64, to func(size int64) (io.Writer, error)) error {
	var w io.Writer
	for offset, size := uint64(0), uint64(1); offset < size; {
		piece, total, err := s.fetch(ctx, position, offset)
		if err != nil {
			return err
		}
		if w == nil {
			size = total
			if w, err = to(int64(size)); err != nil {
				return err
			}
		}
		if len(piece) == 0 || total != size {
			return fmt.Errorf("%w: snapshot of %d bytes ends at %d", wire.ErrMalformed, size, offset)
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		offset += uint64(len(piece))
	}
	return nil
}

// fetch returns the piece of a snapshot that begins at offset, and the size of the whole.
func (s *Space) fetch(ctx context.Context, position, offset uint64) (piece []byte, size uint64, err error) {
	c := newCall(s, wire.Fetch)
	defer c.free()
	c.id, c.seq = position, offset
	if err := s.client.do(ctx, c); err != nil {
		return nil, 0, err
	}
	d := wire.NewDecoder(c.body)
	size = d.Uvarint()
	piece = d.Rest()
	c.body = nil // it is the caller's now
	return piece, size, d.Err()
}
