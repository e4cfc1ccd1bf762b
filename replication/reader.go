package replication

import (
	"context"
	"fmt"
)

// endless is the position up to which a reader of a growing log reads.
const endless = ^uint64(0)

// reading is one reader of a log. It waits for messages that are not there yet, and outlives a restart of the server.
type reading struct {
	log      *Log
	next, to uint64              // positions
	fn       func(message) error // gets each message up to to, in order, valid only during the call
	failed   error               // why there is no sense in going on
}

// read calls fn for each message from position from to position to. It returns ErrDamaged for one that should be there
// and is not.
func (l *Log) read(ctx context.Context, from, to uint64, fn func(message) error) error {
	r := reading{log: l, next: from, to: to, fn: fn}
	for r.next <= r.to {
		srv, err := l.store.server()
		if err != nil {
			return err
		}
		began := r.next
		err = r.on(ctx, srv)
		switch {
		case r.failed != nil:
			return r.failed
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && r.next == began && l.store.runs(srv):
			return fmt.Errorf("%w: read position %d: %w", ErrFailed, began, err)
		}
	}
	return nil
}

// on reads from one server, until the connection breaks.
func (r *reading) on(ctx context.Context, srv *embedded) error {
	f, err := srv.fetcher(r.log.id)
	if err != nil {
		return err
	}
	defer f.close()
	defer context.AfterFunc(ctx, f.close)()
	for r.next <= r.to {
		there, err := r.log.await(ctx, r.next)
		if err != nil {
			return err
		}
		began := r.next
		if err := f.fetch(began, r.to-began+1, r.accept); err != nil {
			return err
		}
		if r.next == began && there {
			return r.fail(fmt.Errorf("%w: position %d is missing", ErrDamaged, began))
		}
	}
	return nil
}

// accept takes a message that was fetched.
func (r *reading) accept(m message) error {
	if m.pos > r.to {
		return nil
	}
	if m.pos != r.next {
		if follows, ok := claimFollows(m.data); !ok || follows != r.next-1 {
			return r.fail(fmt.Errorf("%w: position %d is missing", ErrDamaged, r.next))
		}
		r.log.lost(r.next, m.pos)
	}
	r.next = m.pos + 1
	if err := r.fn(m); err != nil {
		return r.fail(err)
	}
	return nil
}

func (r *reading) fail(err error) error {
	r.failed = err
	return err
}
