package server

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// Snapshots takes snapshots of partitions. Its methods may be called concurrently, and may block.
type Snapshots interface {
	// Snapshot takes a snapshot of the partition at an address and returns its position in the log.
	Snapshot(ctx context.Context, at txn.Address) (position uint64, err error)
}

var errNoSnapshots = fmt.Errorf("%w: this server keeps no snapshots", call.ErrInvalidArgument)

// snapshot takes a snapshot of the partition.
func (c *caller) snapshot(callID uint64, _ *call.Ask) error {
	of := c.s.srv.cfg.Snapshots
	if of == nil {
		return c.s.fail(callID, errNoSnapshots)
	}
	return c.s.apart(callID, func(ctx context.Context) error {
		position, err := of.Snapshot(ctx, c.at)
		if err != nil {
			return err
		}
		return c.s.reply(wire.Snapshot, callID, &call.Result{Seq: position})
	})
}

// maxApart is the number of calls of a session that may be served apart at the same time.
const maxApart = 8

// apart answers a call that takes time on a goroutine of its own; if do returns an error, with that. The end of the
// server interrupts it. It waits while the session has too many such calls, or has lost its connection.
func (s *session) apart(callID uint64, do func(context.Context) error) error {
	if s.awaitApart() {
		s.pause()
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	for s.apartN >= maxApart && s.conn != nil && !s.life.overLocked() {
		s.room.Wait()
	}
	s.apartN++
	s.reading = true
	s.mu.Unlock()
	s.srv.serving.Go(func() {
		if err := do(s.srv.ctx); err != nil {
			_ = s.fail(callID, err) // it only queues
		}
		s.mu.Lock()
		s.apartN--
		s.room.Broadcast()
		s.mu.Unlock()
	})
	return nil
}

// awaitApart reports whether the session has as many calls apart as it may have.
func (s *session) awaitApart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apartN >= maxApart
}
