package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// flushDropped is the time that a drop waits for the mirror of the space, if the tables stay.
const flushDropped = 5 * time.Second

// Drop implements server.Spaces.
func (b backend) Drop(ctx context.Context, name string, tables bool) (server.Host, error) {
	was, err := b.spaces.drop(ctx, name, tables)
	if was == nil {
		return nil, err
	}
	return was.host, err
}

func (ss *spaces) drop(ctx context.Context, name string, tables bool) (was *hosted, err error) {
	switch {
	case name == defaultSpace && ss.refusal(name) == nil:
		return nil, fmt.Errorf("%w: space %q cannot be dropped: it is the one of all programs that name none",
			call.ErrInvalidArgument, name)
	case tables && ss.pool == nil:
		return nil, fmt.Errorf("%w: this server mirrors to no database: there are no tables to drop", call.ErrInvalidArgument)
	}
	ss.mu.Lock() // no space of that name may be created before this one is gone
	defer ss.mu.Unlock()
	s := ss.lookup(name)
	there := ss.known()[name]
	switch {
	case ss.closed:
		return nil, call.ErrClosed
	case ss.refusal(name) != nil:
		if err := ss.removeRefused(ctx, name); err != nil {
			return nil, fmt.Errorf("drop space %q: %w: %w", name, call.ErrUnavailable, err)
		}
		ss.cfg.Logger.Info("refused space dropped", "space", name)
	case s != nil:
		if err := s.partition.Discard(); err != nil {
			return nil, fmt.Errorf("drop space %q: %w", name, err)
		}
		if err := ss.removeLocked(ctx, name, s, tables); err != nil {
			return s, fmt.Errorf("drop space %q: %w", name, err)
		}
		was = s
		ss.cfg.Logger.Info("space dropped", "space", name, "incarnation", s.incarnation)
	case !tables: // tables of an earlier dropped space may be left
		return nil, noSpace(name)
	}
	if !tables {
		return was, nil
	}
	err = writeback.Drop(ctx, ss.cfg.Postgres, name)
	switch {
	case err == nil:
		return was, nil
	case errors.Is(err, writeback.ErrNoMirror) && !there:
		return nil, noSpace(name)
	case errors.Is(err, writeback.ErrNoMirror):
		return was, nil
	}
	return was, fmt.Errorf("%w: space %q is dropped, and its tables are not; do it again: %w", call.ErrUnavailable, name,
		err)
}

func noSpace(name string) error {
	return fmt.Errorf("%w: there is no space %q", call.ErrNoMatch, name)
}

// removeLocked removes a space, whose partition has ended, and its log. If it returns an error the space is unchanged,
// in a new partition.
func (ss *spaces) removeLocked(ctx context.Context, name string, s *hosted, tables bool) error {
	s.space.Shut(fmt.Errorf("%w: space %q was dropped", call.ErrDropped, name))
	if s.mirror != nil && !tables {
		flushing, cancel := context.WithTimeout(ctx, flushDropped)
		ss.flush(flushing, name, s)
		cancel()
	}
	ss.tableMu.Lock()
	delete(ss.byName, name)
	ss.tableMu.Unlock()
	s.stop()
	if ss.store == nil {
		return nil
	}
	err := ss.store.Drop(ctx, name, 0)
	if err != nil {
		_, back := ss.addLocked(ss.ctx, name, nil)
		return fmt.Errorf("%w: remove the log: %w", call.ErrUnavailable, errors.Join(err, back))
	}
	return nil
}

// removeRefused removes the log of a space that is not served. If it returns an error the space may be gone. The
// effects of its transactions over several spaces are unknown: those that began here are aborted in the other spaces.
func (ss *spaces) removeRefused(ctx context.Context, name string) error {
	if err := ss.store.Drop(ctx, name, 0); err != nil {
		return err
	}
	ss.tableMu.Lock()
	delete(ss.refused, name)
	ss.tableMu.Unlock()
	ss.shared.Spans.Dropped(ctx, txn.Address{Space: name})
	if name == defaultSpace { // it always exists
		_, err := ss.addLocked(ss.ctx, name, nil)
		return err
	}
	return nil
}

// stop stops the work beside the partition.
func (s *hosted) stop() {
	s.cancel()
	s.running.Wait()
}
