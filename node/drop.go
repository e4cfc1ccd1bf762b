package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// flushDropped is the time that a drop waits for the mirror of the space, if the tables stay.
const flushDropped = 5 * time.Second

// Drop implements server.Spaces.
func (b backend) Drop(ctx context.Context, name string, tables bool) (hosts []server.Host, err error) {
	if err := b.spaces.canDrop(name, tables); err != nil {
		return nil, err
	}
	if err := b.spaces.retire(ctx, name); err != nil {
		return nil, err
	}
	was, err := b.spaces.drop(ctx, name, tables)
	if was == nil {
		return nil, err
	}
	for _, s := range was.parts {
		hosts = append(hosts, s.host)
	}
	return hosts, err
}

// canDrop returns call.ErrInvalidArgument for what can never be dropped.
func (ss *spaces) canDrop(name string, tables bool) error {
	switch {
	case name == defaultSpace && ss.refusal(name) == nil:
		return fmt.Errorf("%w: space %q cannot be dropped: programs that name no space use it",
			call.ErrInvalidArgument, name)
	case tables && ss.pool == nil:
		return fmt.Errorf("%w: this server mirrors to no database: there are no tables to drop",
			call.ErrInvalidArgument)
	}
	return nil
}

func (ss *spaces) drop(ctx context.Context, name string, tables bool) (was *family, err error) {
	ss.mu.Lock() // no space of that name may be created before this one is gone
	defer ss.mu.Unlock()
	f := ss.lookup(name)
	there := ss.known()[name]
	switch {
	case ss.closed:
		return nil, call.ErrClosed
	case ss.refusal(name) != nil:
		if err := ss.removeRefused(ctx, name); err != nil {
			return nil, fmt.Errorf("drop space %q: %w: %w", name, call.ErrUnavailable, err)
		}
		ss.cfg.Logger.Info("refused space dropped", "space", name)
	case f != nil:
		if ended, err := ss.discardLocked(name, f); err != nil {
			if !ended {
				f = nil
			}
			return f, fmt.Errorf("drop space %q: %w", name, err)
		}
		for _, s := range f.parts {
			ss.highest = max(ss.highest, s.partition.Highest())
		}
		if err := ss.removeLocked(ctx, name, f, tables); err != nil {
			return f, fmt.Errorf("drop space %q: %w", name, err)
		}
		was = f
		for _, s := range f.parts {
			if s.lost {
				ss.shared.Spans.Dropped(ctx, s.at)
			}
		}
		ss.cfg.Logger.Info("space dropped", "space", name, "incarnation", f.parts[0].incarnation)
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

// discardLocked ends the partitions of a space, also those that no longer serve because their logs are gone or damaged.
// If it returns an error the space is unchanged, in new partitions if some of its own have ended.
func (ss *spaces) discardLocked(name string, f *family) (ended bool, err error) {
	for i, s := range f.parts {
		err := s.partition.Discard()
		if s.lost = errors.Is(err, replication.ErrGone) || replication.Unusable(err); err != nil && !s.lost {
			if i > 0 {
				err = errors.Join(err, ss.restartLocked(name, f))
			}
			return i > 0, err
		}
	}
	for _, s := range f.parts {
		if s.lost {
			s.partition.Abandon()
		}
	}
	return true, nil
}

// removeLocked removes a space, whose partitions have ended, and its logs. If it returns an error the space is
// unchanged, in new partitions.
func (ss *spaces) removeLocked(ctx context.Context, name string, f *family, tables bool) error {
	f.shut(fmt.Errorf("%w: space %q was dropped", call.ErrDropped, name))
	for _, s := range f.parts {
		if s.mirror != nil && !tables {
			flushing, cancel := context.WithTimeout(ctx, flushDropped)
			ss.flush(flushing, s)
			cancel()
		}
	}
	ss.stopLocked(name, f)
	if ss.store == nil {
		return nil
	}
	if err := ss.dropFirst(ctx, name); err != nil {
		_, back := ss.addLocked(ss.ctx, name, len(f.parts), nil)
		return fmt.Errorf("%w: remove the log: %w", call.ErrUnavailable, errors.Join(err, back))
	}
	ss.dropRest(ctx, name, len(f.parts))
	return nil
}

// dropFirst removes the log of the first partition, after it is sure that no other space gets identities of this one.
func (ss *spaces) dropFirst(ctx context.Context, name string) error {
	if err := ss.store.Retire(ss.highest); err != nil {
		return err
	}
	return ss.store.Drop(ctx, name, 0)
}

// stopLocked stops a space, whose partitions have ended, and takes it out of the table.
func (ss *spaces) stopLocked(name string, f *family) {
	ss.tableMu.Lock()
	delete(ss.byName, name)
	ss.tableMu.Unlock()
	for _, s := range f.parts {
		s.stop()
	}
}

// restartLocked starts a space again.
func (ss *spaces) restartLocked(name string, f *family) error {
	f.shut(call.ErrUnavailable)
	var errs []error
	for _, s := range f.parts {
		errs = append(errs, s.partition.Close())
	}
	ss.stopLocked(name, f)
	_, err := ss.addLocked(ss.ctx, name, len(f.parts), nil)
	return errors.Join(append(errs, err)...)
}

// dropRest removes the logs of all partitions but the first of a space that no longer exists. A log that cannot be
// removed now is removed before the next space of that name is created, or at the next start.
func (ss *spaces) dropRest(ctx context.Context, name string, partitions int) {
	for p := 1; p < partitions; p++ {
		if err := ss.store.Drop(ctx, name, p); err != nil {
			ss.debris[name] = true
			ss.cfg.Logger.Warn("a log of a dropped space is left", "space", name, "partition", p, "error", err)
		}
	}
}

// unknownLosses is how far the identities of a space that is not served may be ahead of the clock: by 64 losses that
// have just been.
const unknownLosses = 64 * engine.Unheard

// removeRefused removes the logs of a space that is not served. If it returns an error the space may be gone. The
// effects of its transactions over several spaces are unknown: those that began here are aborted in the other spaces.
func (ss *spaces) removeRefused(ctx context.Context, name string) error {
	found, err := ss.store.Spaces(ctx)
	if err != nil {
		return err
	}
	ss.highest = max(ss.highest, record.OriginAt(time.Now().UnixNano())+unknownLosses)
	if err := ss.dropFirst(ctx, name); err != nil {
		return err
	}
	partitions := max(1, sizeOf(found[name]))
	ss.dropRest(ctx, name, partitions)
	ss.tableMu.Lock()
	delete(ss.refused, name)
	ss.tableMu.Unlock()
	for p := range partitions {
		ss.shared.Spans.Dropped(ctx, txn.Address{Space: name, Partition: uint16(p)})
	}
	if name == defaultSpace { // it always exists
		_, err := ss.addLocked(ss.ctx, name, 1, nil)
		return err
	}
	return nil
}

// stop ends the goroutines beside the partition.
func (s *hosted) stop() {
	s.cancel()
	s.running.Wait()
}
