package server

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/wire"
)

// Snapshots takes snapshots of spaces. Its methods may be called concurrently, and may block.
type Snapshots interface {
	// Snapshot takes a snapshot of the named space and returns its position in the log.
	Snapshot(ctx context.Context, name string) (position uint64, err error)
}

var errNoSnapshots = fmt.Errorf("%w: this server keeps no snapshots", engine.ErrInvalidArgument)

// handleSnapshot takes a snapshot of a space.
func (s *session) handleSnapshot(c *caller, call uint64, d wire.Decoder) error {
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	of := s.srv.cfg.Snapshots
	if of == nil {
		return s.fail(call, errNoSnapshots)
	}
	return s.apart(call, func(ctx context.Context) error {
		position, err := of.Snapshot(ctx, c.name)
		if err != nil {
			return err
		}
		return s.answer(call, binary.AppendUvarint(nil, position))
	})
}

// apart has a call that takes its time answered on a goroutine of its own; if do returns an error, with that. The end of the server interrupts it.
func (s *session) apart(call uint64, do func(context.Context) error) error {
	s.srv.serving.Go(func() {
		if err := do(s.srv.ctx); err != nil {
			_ = s.fail(call, err) // it only queues
		}
	})
	return nil
}
