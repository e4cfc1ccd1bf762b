package client

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// Read implements space.Space.
func (s *part) Read(ctx context.Context, q space.Query) ([]space.Entry, error) {
	return s.find(ctx, &q, false)
}

// Take implements space.Space. If it returns space.ErrOutcomeUnknown an entry may have been taken.
func (s *part) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	return s.find(ctx, &q, true)
}

func (s *part) find(ctx context.Context, q *space.Query, take bool) ([]space.Entry, error) {
	kind := impl.Read
	if take {
		kind = impl.Take
	}
	if err := impl.Check(q, kind); err != nil {
		return nil, err
	}
	entries, err := s.findSome(ctx, q, take)
	if err != nil || len(entries) >= q.Max || !impl.Cut(entries) {
		return entries, err
	}
	return impl.Rest(*q, take, entries, func(q space.Query) ([]space.Entry, error) { return s.findSome(ctx, &q, take) })
}

// findSome makes one call.
func (s *part) findSome(ctx context.Context, q *space.Query, take bool) ([]space.Entry, error) {
	c := newCall(s, wire.Find)
	defer c.free()
	c.query, c.take = *q, take
	if q.Begin {
		c.sentAt = time.Now()
	}
	c.waitFor(q)
	r, err := c.do(ctx)
	if err != nil {
		return nil, err
	}
	if q.Hidden != nil {
		*q.Hidden = r.Count
		if len(r.Entries) == 0 {
			return nil, space.ErrNoMatch
		}
	}
	return c.entries(r)
}

// waitFor sets how long c waits for a match of q.
func (c *pendingCall) waitFor(q *space.Query) {
	switch {
	case q.NoWait, q.Held, q.Hidden != nil:
		c.limited = true
	case q.Wait == 0:
		c.wait = wire.WaitForever
	default:
		c.wait, c.deadline, c.limited = q.Wait, time.Now().Add(q.Wait), true
	}
}

// Count implements space.Space.
func (s *part) Count(ctx context.Context, q space.Query) (int, error) {
	if err := impl.Check(&q, impl.Count); err != nil {
		return 0, err
	}
	c := newCall(s, wire.Count)
	defer c.free()
	c.query = q
	r, err := c.do(ctx)
	return r.Count, err
}

// Contents implements space.Space. An iteration ends with space.ErrUnavailable if the server is restarted meanwhile.
func (s *part) Contents(ctx context.Context, q space.Query) iter.Seq2[space.Entry, error] {
	return func(yield func(space.Entry, error) bool) {
		if err := impl.Check(&q, impl.Contents); err != nil {
			yield(space.Entry{}, err)
			return
		}
		hidden := cmp.Or(q.Hidden, new(int))
		*hidden = 0
		left := q.Max // 0 without a bound, and then never 0 again
		it := iteration{part: s, lane: s.client.lane(), more: true}
		for it.more {
			entries, passed, err := it.next(ctx, &q)
			if err != nil {
				yield(space.Entry{}, err)
				return
			}
			*hidden += passed
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

// iteration is where Contents has come to.
type iteration struct {
	part   *part
	lane   *lane
	epoch  uint64 // of the session in which cursor means something
	cursor call.Cursor
	more   bool
}

// next returns the next page, and the number of matches it left out because others have locked them.
func (it *iteration) next(ctx context.Context, q *space.Query) (entries []space.Entry, hidden int, err error) {
	c := newCall(it.part, wire.Contents)
	defer c.free()
	c.query, c.lane, c.epoch, c.cursor = *q, it.lane, it.epoch, it.cursor
	it.more = false
	r, err := c.do(ctx)
	if err != nil {
		return nil, 0, err
	}
	it.more, it.epoch, it.cursor = r.More, c.epoch, r.Cursor
	entries, err = c.entries(r)
	return entries, r.Count, err
}
