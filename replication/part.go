package replication

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Read calls fn for every group with an effect from position from to position to, in order. It returns when it is done,
// fn returns an error (which it returns), ctx ends (it returns the cause), the store is closed, or the log cannot be
// read. It returns ErrPosition if the log does not have all of that part. It may be called at any time, and delays
// appends no more than Follow does. The group's records are valid only during fn.
func (l *Log) Read(ctx context.Context, from, to uint64, fn func(record.Group) error) error {
	if from > to {
		return nil
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	if err := l.readPart(ctx, from, to, fn); err != nil {
		return fmt.Errorf("read log %v: %w", l.id, err)
	}
	return nil
}

func (l *Log) readPart(ctx context.Context, from, to uint64, fn func(record.Group) error) error {
	if st := l.Stats(); from == 0 || from < st.First || to > st.Last {
		return fmt.Errorf("%w: %d to %d; the log holds %d to %d", ErrPosition, from, to, st.First, st.Last)
	}
	f, err := l.foldAfter(ctx, from-1)
	if err != nil {
		return err
	}
	return l.read(ctx, from, to, func(m message) error {
		g, ok, err := l.next(&f, m)
		if err != nil || !ok {
			return err
		}
		return fn(g)
	})
}
