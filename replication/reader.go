package replication

import (
	"context"
	"fmt"
)

// endless is the position up to which a reader of a growing log reads.
const endless = ^uint64(0)

// reader is one reader of a log. It waits for messages that do not exist yet, and survives a restart of the server.
type reader struct {
	log      *Log
	next, to uint64              // positions
	fn       func(message) error // gets each message up to to, in order, valid only during the call
	there    bool                // it ends where there are no more messages now
	before   mark                // if not zero, the message that must come before the first
	served   bool                // the connection has answered
	failed   error               // why there is no sense in going on
}

// read calls fn for each message from position from to position to. It returns ErrDamaged for a missing message.
func (l *Log) read(ctx context.Context, from, to uint64, fn func(message) error) error {
	r := reader{log: l, next: from, to: to, fn: fn}
	return r.run(ctx)
}

// readThere calls fn for each message from a position on that can be read now, and returns the position of the last, or
// the one before from.
func (l *Log) readThere(ctx context.Context, from uint64, fn func(message) error) (end uint64, err error) {
	r := reader{log: l, next: from, to: endless, fn: fn, there: true}
	err = r.run(ctx)
	return max(r.next, from) - 1, err
}

func (r *reader) run(ctx context.Context) error {
	l := r.log
	if r.before = l.home.unproven(r.next - 1); r.before.position > 0 {
		r.next--
	}
	for r.next <= r.to {
		srv, err := l.store.server()
		if err != nil {
			return err
		}
		r.served = false
		err = r.on(ctx, srv)
		switch {
		case r.failed != nil:
			return r.failed
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if err := l.home.unanswered(ctx, srv, r.served, err); err != nil {
				return fmt.Errorf("read position %d: %w", r.next, err)
			}
		}
	}
	return nil
}

// on reads from one server, until the connection breaks.
func (r *reader) on(ctx context.Context, srv *embedded) error {
	f, err := srv.fetcher(r.log.id)
	if err != nil {
		return err
	}
	defer f.close()
	defer context.AfterFunc(ctx, f.close)()
	f.limit = r.log.home.limit()
	if r.there {
		return r.onward(f)
	}
	if r.to == endless && r.log.store.cfg.Followers {
		return r.follow(ctx, srv, f)
	}
	for r.next <= r.to {
		if err := r.log.home.await(ctx, r.next); err != nil {
			return err
		}
		found, err := r.fetch(f)
		if err != nil {
			return err
		}
		if found {
			continue
		}
		if err := r.log.home.absent(ctx, r.next); err != nil {
			return r.fail(err)
		}
	}
	return nil
}

// onward reads until there are no more messages.
func (r *reader) onward(f *fetcher) error {
	for {
		found, err := r.fetch(f)
		if err != nil {
			return err
		}
		if !found {
			r.to = r.next - 1
			return nil
		}
	}
}

// fetch takes messages that are there, and reports whether there were any.
func (r *reader) fetch(f *fetcher) (found bool, err error) {
	began := r.next
	err = f.fetch(began, r.to-began+1, r.accept)
	r.served = r.served || err == nil || r.next > began
	return r.next > began, err
}

// follow takes messages as the server publishes them, after those that exist, and fetches those that it missed.
func (r *reader) follow(ctx context.Context, srv *embedded, f *fetcher) error {
	t, err := srv.tail(r.log.id)
	if err != nil {
		return err
	}
	defer t.close()
	for {
		found, err := r.fetch(f)
		if err != nil {
			return err
		}
		if found {
			continue
		}
		if err := r.listen(ctx, t); err != nil {
			return err
		}
	}
}

// listen takes published messages until it has to fetch some.
func (r *reader) listen(ctx context.Context, t *tail) error {
	for {
		queue, last, err := t.take()
		for _, m := range queue {
			if m.pos != r.next {
				continue
			}
			if err := r.accept(m); err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case last >= r.next && len(queue) > 0:
			return nil
		case last >= r.next: // it was fetched in vain: who was asked does not have it yet
			_, err := t.await(ctx, lagPause)
			return err
		}
		if come, err := t.await(ctx, lookPause); !come {
			return err
		}
	}
}

// accept takes a message that was read.
func (r *reader) accept(m message) error {
	if m.pos > r.to {
		return nil
	}
	if m.pos != r.next {
		if err := r.log.home.gap(r.next, m); err != nil {
			return r.fail(err)
		}
	}
	r.next = m.pos + 1
	if before := r.before; before.position > 0 {
		r.before = mark{}
		if err := r.log.prove(before, m); err != nil {
			return r.fail(err)
		}
		return nil
	}
	if err := r.fn(m); err != nil {
		return r.fail(err)
	}
	return nil
}

func (r *reader) fail(err error) error {
	r.failed = err
	return err
}
