package local

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/space"
)

// Read implements space.Space.
func (s *Space) Read(ctx context.Context, q space.Query) ([]space.Entry, error) {
	return s.find(ctx, q, false)
}

// Take implements space.Space.
func (s *Space) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	return s.find(ctx, q, true)
}

func (s *Space) find(ctx context.Context, q space.Query, take bool) ([]space.Entry, error) {
	kind := impl.Read
	if take {
		kind = impl.Take
	}
	if err := impl.Check(&q, kind); err != nil {
		return nil, err
	}
	entries, err := s.findSome(ctx, q, take)
	if err != nil || len(entries) >= q.Max || !impl.Cut(entries) {
		return entries, err
	}
	return impl.Rest(q, take, entries, func(q space.Query) ([]space.Entry, error) { return s.findSome(ctx, q, take) })
}

// findSome makes one call.
func (s *Space) findSome(ctx context.Context, q space.Query, take bool) ([]space.Entry, error) {
	wait := waitOf(q)
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	c.query.Take, c.query.IfExists = take, q.IfExists
	c.query.Begin, c.query.Lease = q.Begin, int64(q.Lease)
	c.query.Claim, c.query.Hidden = q.Claim, q.Hidden != nil
	err = s.query(c, q, func() error {
		number := c.next()
		s.partition.Find(c, number, &c.query, wait)
		return s.awaitMatch(ctx, c, number)
	})
	if q.Hidden != nil && (err == nil || errors.Is(err, space.ErrNoMatch)) {
		*q.Hidden = c.out.count
	}
	if err != nil {
		return nil, err
	}
	return s.entries(c), nil
}

// waitOf returns how long q waits, as the partition counts: negative for without end.
func waitOf(q space.Query) time.Duration {
	switch {
	case q.NoWait, q.Hidden != nil:
		return 0
	case q.Wait == 0:
		return -1
	}
	return q.Wait
}

// awaitMatch waits for the outcome of a Find or a Count. When ctx ends it takes the call back; if that comes too late,
// the outcome counts: an entry that was granted is not lost.
func (s *Space) awaitMatch(ctx context.Context, c *caller, number uint64) error {
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
	}
	s.partition.CancelWait(c, number)
	err := c.await()
	if errors.Is(err, call.ErrCancelled) {
		return ctx.Err()
	}
	return err
}

// entries returns what c found, as copies that share one block.
func (s *Space) entries(c *caller) []space.Entry {
	found := make([]space.Entry, len(c.out.found))
	rows := slices.Clone(c.out.rows)
	begin := 0
	for i, f := range c.out.found {
		found[i] = space.Entry{
			ID: space.LeaseID(f.id), Schema: s.partition.Schema(f.kind), Row: rows[begin:f.end:f.end],
			Version: f.version, Attempts: f.attempts, Died: impl.Death(f.died),
			Held: impl.Holder(f.held, s.name),
		}
		if f.txn != 0 {
			g := space.Grant{ID: space.LeaseID(f.txn), Granted: time.Duration(c.out.grants[i].Granted)}
			found[i].Txn = g.Txn(s, s.name, c.out.at)
			s.txns.Add(found[i].Txn, nil)
		}
		begin = f.end
	}
	return found
}

// Count implements space.Space.
func (s *Space) Count(ctx context.Context, q space.Query) (int, error) {
	if err := impl.Check(&q, impl.Count); err != nil {
		return 0, err
	}
	c, err := s.caller(ctx)
	if err != nil {
		return 0, err
	}
	defer s.release(c)
	err = s.query(c, q, func() error {
		number := c.next()
		s.partition.Count(c, number, &c.query)
		return s.awaitMatch(ctx, c, number)
	})
	return c.out.count, err
}

// Contents implements space.Space.
func (s *Space) Contents(ctx context.Context, q space.Query) iter.Seq2[space.Entry, error] {
	return func(yield func(space.Entry, error) bool) {
		if err := impl.Check(&q, impl.Contents); err != nil {
			yield(space.Entry{}, err)
			return
		}
		q.Hidden = cmp.Or(q.Hidden, new(int))
		*q.Hidden = 0
		left := q.Max // 0 without a bound, and then never 0 again
		var cursor call.Cursor
		for more := true; more; {
			var entries []space.Entry
			var err error
			if entries, cursor, more, err = s.page(ctx, q, cursor); err != nil {
				yield(space.Entry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				if left--; left == 0 {
					return
				}
			}
		}
	}
}

// page returns the matches from cursor on, at which there are more if more is set.
func (s *Space) page(ctx context.Context, q space.Query,
	cursor call.Cursor,
) (entries []space.Entry, next call.Cursor, more bool, err error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, cursor, false, err
	}
	defer s.release(c)
	q.Max = impl.Page(&q)
	err = s.query(c, q, func() error {
		s.partition.Contents(c, c.next(), &c.query, cursor)
		return c.await()
	})
	if err != nil {
		return nil, cursor, false, err
	}
	*q.Hidden += c.out.count
	return s.entries(c), c.out.cursor, c.out.more, nil
}
