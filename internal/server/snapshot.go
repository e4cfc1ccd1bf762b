package server

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/wire"
)

// handleSnapshot takes a snapshot of a space, on a goroutine of its own: it takes its time. The end of the server interrupts it.
func (s *session) handleSnapshot(c *caller, call uint64, d wire.Decoder) error {
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	take := s.srv.cfg.Snapshot
	if take == nil {
		return s.fail(call, fmt.Errorf("%w: this server takes no snapshots", engine.ErrInvalidArgument))
	}
	s.srv.serving.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s.srv.serving.Go(func() {
			select {
			case <-s.srv.done:
				cancel()
			case <-ctx.Done():
			}
		})
		position, err := take(ctx, c.name)
		if err != nil {
			_ = s.fail(call, err) // it only queues
			return
		}
		_ = s.answer(call, binary.AppendUvarint(nil, position))
	})
	return nil
}
