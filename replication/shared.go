package replication

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

const (
	// readPause is the time between two attempts to read a log that no node serves.
	readPause = 20 * time.Millisecond
)

// shared is the home of a log that several nodes of a cluster have. It guards no files: what a majority has exists. But
// nodes can be away or behind, and then only another try helps; so calls go on until their contexts end.
type shared struct {
	*Log
	srv     *embedded
	ill     atomic.Pointer[error] // why this node must not be the primary
	since   atomic.Int64          // when the message under way was sent first, since started; or 0
	emptied bool                  // guarded by stateMu; the cluster has lost the log, and may begin anew
	silence silence               // of those that were asked for messages
	lag     lag                   // of this node's part of the log

	measured time.Time // when servers outside were last asked for the size; of one goroutine at a time
}

var _ home = (*shared)(nil)

func newShared(s *Store, srv *embedded, id logID) *shared {
	l := &shared{Log: newLog(s, id), srv: srv}
	l.home, l.name = l, s.Node()
	l.state.MaxBytes = s.cfg.MaxBytes
	l.measure()
	return l
}

// openShared returns a log of a cluster once a node answers for it. It does not wait for a log that this node has: it
// may have no leader, which the caller is to see.
func (s *Store) openShared(ctx context.Context, id logID) (*Log, error) {
	srv, err := s.server()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	l := newShared(s, srv, id)
	for {
		here := false
		if !srv.isOutside() {
			_, here = localState(srv.srv, id.stream())
		}
		if !here {
			_, _, err = l.lookOn(ctx, srv, 1)
		}
		switch {
		case here, err == nil:
			s.served.Store(l, nil)
			return l.Log, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("open log %v: %w, after %w", id, context.Cause(ctx), err)
		case srv.lacks(ctx, id):
			return nil, fmt.Errorf("open log %v: %w", id, ErrNoLog)
		}
		_ = l.unanswered(ctx, srv, false, err)
	}
}

// lacks reports whether the leader of the cluster knows no such log.
func (e *embedded) lacks(ctx context.Context, id logID) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := e.js.Stream(ctx, id.stream())
	return errors.Is(noLog(err), ErrNoLog)
}

// pause returns nil after a time, or the cause of ctx's end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *shared) present() error { return l.store.gone() }

func (l *shared) admit(n int) error {
	if err := l.present(); err != nil || l.store.cfg.Cluster.Memory {
		return err
	}
	return l.store.disk.admit(n)
}

// catchUp reads what can be read now. This node may lag behind; a claim finds out whether something is missing.
func (l *shared) catchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (end uint64, err error) {
	if err := l.present(); err != nil {
		return 0, err
	}
	f, err := l.foldAfter(ctx, after)
	if err != nil {
		return 0, err
	}
	return l.readThere(ctx, after+1, func(m message) error {
		if err := l.step(&f, m, apply); err != nil {
			return err
		}
		progress(m.pos, max(m.pos, l.Last()))
		return nil
	})
}

// reaches returns nil: the first message that is read shows it.
func (l *shared) reaches(context.Context, uint64) error { return nil }

// gap always returns an error: messages are removed from the beginning only.
func (l *shared) gap(next uint64, found message) error {
	return fmt.Errorf("%w: %d; the log begins at %d", ErrPosition, next, found.pos)
}

func (l *shared) unproven(position uint64) mark {
	if at := l.known(); !at.read && at.position == position {
		return at
	}
	return mark{}
}

func (l *shared) learned(m message) error {
	as, _, ok := claimOf(m.data)
	if !ok {
		return nil
	}
	if err := l.remember(as); err != nil {
		return err
	}
	return l.recognize(as, m.pos)
}

// remember notes on this node that the log has begun, and how often it was lost. A log that comes back empty was lost.
func (l *shared) remember(as intent) error {
	if l.Incarnation() == as.incarnation && as.loss == 0 {
		return nil // as before
	}
	w, err := l.store.folder.readWitness(l.id)
	if err != nil {
		return err
	}
	made, err := l.made()
	if err != nil {
		return err
	}
	now := witness{Stream: made, Incarnation: as.incarnation, Losses: max(w.Losses, as.loss)}
	if now == w {
		return nil
	}
	return l.store.writeWitness(l.id, now)
}

// made returns the incarnation with which the stream was created; "" if this node has no part of it.
func (l *shared) made() (string, error) {
	if l.srv.isOutside() {
		return l.madeOutside()
	}
	return localMetadata(l.srv.srv, l.id.stream())[metaIncarnation], nil
}

func (l *shared) stamp(ctx context.Context, position uint64) (int64, error) {
	if at := l.known(); at.position == position && at.time != 0 {
		return at.time, nil
	}
	for range 50 {
		m, found, err := l.look(ctx, position)
		if err != nil {
			return 0, err
		}
		if found && m.pos == position {
			return m.time, nil
		}
		if err := pause(ctx, readPause); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("%w: position %d: %w", ErrFailed, position, errUnread)
}

func (l *shared) reach(uint64) error { return nil }

// purgeable keeps the message at the position of a snapshot, which proves that both belong together.
func (l *shared) purgeable(before uint64) uint64 { return max(before, 1) - 1 }

func (l *shared) purging(fn func() error) error { return fn() }

func (l *shared) restarted() {}

func (l *shared) shut() { l.store.served.Delete(l) }

func (l *shared) stopped() {}
