package server

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/wire"
)

// Snapshots takes snapshots of spaces and hands them out. Its methods may be called concurrently, and may block.
type Snapshots interface {
	// Snapshot takes a snapshot of the named space and returns its position in the log.
	Snapshot(ctx context.Context, name string) (position uint64, err error)
	// ReadSnapshot reads from the snapshot of the named space at a position, from offset on, into p. It returns how much it has read and
	// how large the snapshot is. It returns engine.ErrUnavailable if there is no such snapshot any more.
	ReadSnapshot(name string, position uint64, offset int64, p []byte) (n int, size int64, err error)
}

var errNoSnapshots = fmt.Errorf("%w: this server keeps no snapshots", engine.ErrInvalidArgument)

// handleSnapshot takes a snapshot of a space.
func (s *session) handleSnapshot(c *caller, call uint64, d wire.Decoder) error {
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	return s.apart(call, func(ctx context.Context, of Snapshots) ([]byte, error) {
		position, err := of.Snapshot(ctx, c.name)
		return binary.AppendUvarint(nil, position), err
	})
}

// fetchSize bounds what one Fetch returns.
const fetchSize = 512 << 10

// handleFetch hands out a piece of a snapshot.
func (s *session) handleFetch(c *caller, call uint64, d wire.Decoder) error {
	position, offset := d.Uvarint(), d.Uvarint()
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	if offset > 1<<62 {
		return s.fail(call, fmt.Errorf("%w: offset %d", engine.ErrInvalidArgument, offset))
	}
	return s.apart(call, func(_ context.Context, of Snapshots) ([]byte, error) {
		piece := make([]byte, fetchSize)
		n, size, err := of.ReadSnapshot(c.name, position, int64(offset), piece)
		return append(binary.AppendUvarint(nil, uint64(size)), piece[:n]...), err
	})
}

// apart answers a call that takes its time on a goroutine of its own. The end of the server interrupts it.
func (s *session) apart(call uint64, do func(context.Context, Snapshots) ([]byte, error)) error {
	of := s.srv.cfg.Snapshots
	if of == nil {
		return s.fail(call, errNoSnapshots)
	}
	s.srv.serving.Go(func() {
		body, err := do(s.srv.ctx, of)
		if err != nil {
			_ = s.fail(call, err) // it only queues
			return
		}
		_ = s.answer(call, body)
	})
	return nil
}
