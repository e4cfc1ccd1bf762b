package space

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Read implements Space.
func (s *Local) Read(ctx context.Context, q Query) ([]Entry, error) { return s.find(ctx, q, false) }

// Take implements Space.
func (s *Local) Take(ctx context.Context, q Query) ([]Entry, error) { return s.find(ctx, q, true) }

func (s *Local) find(ctx context.Context, q Query, take bool) ([]Entry, error) {
	kind := ReadCall
	if take {
		kind = TakeCall
	}
	if err := q.Check(kind); err != nil {
		return nil, err
	}
	entries, err := s.findSome(ctx, q, take)
	if err != nil || len(entries) >= q.Max || !Cut(entries) {
		return entries, err
	}
	return Rest(q, take, entries, func(q Query) ([]Entry, error) { return s.findSome(ctx, q, take) })
}

// findSome makes one call.
func (s *Local) findSome(ctx context.Context, q Query, take bool) ([]Entry, error) {
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
	if q.Hidden != nil && (err == nil || errors.Is(err, ErrNoMatch)) {
		*q.Hidden = c.out.count
	}
	if err != nil {
		return nil, err
	}
	return s.entries(c), nil
}

// waitOf returns how long q waits, as the partition counts: negative for without end.
func waitOf(q Query) time.Duration {
	switch {
	case q.NoWait, q.Hidden != nil:
		return 0
	case q.Wait == 0:
		return -1
	}
	return q.Wait
}

// awaitMatch waits for the outcome of a Find or a Count. When ctx ends it takes the call back; if that comes too late, the
// outcome counts: an entry that was granted is not lost.
func (s *Local) awaitMatch(ctx context.Context, c *caller, number uint64) error {
	select {
	case <-c.done:
		return c.out.err
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
func (s *Local) entries(c *caller) []Entry {
	found := make([]Entry, len(c.out.found))
	rows := slices.Clone(c.out.rows)
	begin := 0
	for i, f := range c.out.found {
		found[i] = Entry{
			ID: LeaseID(f.id), Schema: s.partition.Schema(f.kind), Row: rows[begin:f.end:f.end],
			Version: f.version, Attempts: f.attempts, Died: DeathOf(f.died),
			Held: HolderOf(f.held, s.name),
		}
		if f.txn != 0 {
			found[i].Txn = NewTxn(s, txn.ID{Space: s.name, Number: f.txn}, time.Duration(c.out.grants[i].Granted), c.out.at)
			s.txns.Add(found[i].Txn, nil)
		}
		begin = f.end
	}
	return found
}

// Count implements Space.
func (s *Local) Count(ctx context.Context, q Query) (int, error) {
	if err := q.Check(CountCall); err != nil {
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

// pageOf returns how many entries Contents fetches at a time. Under a transaction that is one: exactly what is yielded
// is locked. A page of what is held costs a walk over all that is held, so these are large.
func pageOf(q Query) int {
	switch {
	case !q.Txn.IsZero():
		return 1
	case q.Held:
		return 4096
	}
	return 256
}

// Contents implements Space.
func (s *Local) Contents(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := q.Check(ContentsCall); err != nil {
			yield(Entry{}, err)
			return
		}
		q.Hidden = cmp.Or(q.Hidden, new(int))
		*q.Hidden = 0
		left := q.Max // 0 without a bound, and then never 0 again
		var cursor call.Cursor
		for more := true; more; {
			var entries []Entry
			var err error
			if entries, cursor, more, err = s.page(ctx, q, cursor); err != nil {
				yield(Entry{}, err)
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
func (s *Local) page(ctx context.Context, q Query,
	cursor call.Cursor,
) (entries []Entry, next call.Cursor, more bool, err error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, cursor, false, err
	}
	defer s.release(c)
	q.Max = pageOf(q)
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
