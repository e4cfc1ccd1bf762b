package client

import (
	"context"
	"errors"

	"github.com/gospaces/gospaces/space"
)

// best finds the first matches in the order of the query, in all partitions.
func (f *finding) best(ctx context.Context) ([]space.Entry, error) {
	find := f.all
	if f.take {
		find = f.takeBest
	}
	found, err := find(ctx)
	if f.q.NoWait || !errors.Is(err, space.ErrNoMatch) || len(found) > 0 {
		return found, err
	}
	return f.wait(ctx)
}

// takeBest takes the first matches, one after the other: it has the first match of each partition reserved, and takes
// the first of these. A reservation that was lost meanwhile is made again.
func (f *finding) takeBest(ctx context.Context) (found []space.Entry, err error) {
	heads := make([]outcome, len(f.targets))
	defer func() {
		for i := range heads {
			heads[i].release()
		}
	}()
	if err := each(f.targets, func(i int, p *part) error { return f.head(ctx, p, &heads[i]) }); err != nil {
		return nil, err
	}
	for len(found) < f.q.Max {
		first := f.firstOf(heads)
		if first < 0 {
			break
		}
		q := f.part(1)
		q.ID, q.Order = heads[first].found[0].ID, nil
		taken, err := f.targets[first].find(ctx, &q, true)
		if err != nil && !errors.Is(err, space.ErrNoMatch) {
			return found, err
		}
		if err == nil {
			heads[first].number = 0
		}
		if found = append(found, taken...); len(found) == f.q.Max {
			break
		}
		if err := f.head(ctx, f.targets[first], &heads[first]); err != nil {
			return found, err
		}
	}
	if len(found) == 0 {
		return nil, space.ErrNoMatch
	}
	return found, nil
}

// head sets o to the reservation of the first match in a partition, or to none.
func (f *finding) head(ctx context.Context, p *part, o *outcome) error {
	q := f.part(1)
	q.Begin, q.Lease = false, 0
	o.release()
	*o = outcome{part: p}
	var err error
	if o.reservation, err = p.reserve(ctx, &q); errors.Is(err, space.ErrNoMatch) {
		return nil
	}
	return err
}

// firstOf returns the place of the first of some matches, or -1 if there is none.
func (f *finding) firstOf(heads []outcome) int {
	first := -1
	for i := range heads {
		if len(heads[i].found) > 0 && (first < 0 || f.compare(heads[i].found[0], heads[first].found[0]) < 0) {
			first = i
		}
	}
	return first
}
