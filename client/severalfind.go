package client

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// Read implements space.Space.
func (v *several) Read(ctx context.Context, q space.Query) ([]space.Entry, error) {
	return v.find(ctx, q, false)
}

// Take implements space.Space.
func (v *several) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	return v.find(ctx, q, true)
}

func (v *several) find(ctx context.Context, q space.Query, take bool) ([]space.Entry, error) {
	kind := impl.Read
	if take {
		kind = impl.Take
	}
	if err := impl.Check(&q, kind); err != nil {
		return nil, err
	}
	targets, err := v.targets(ctx, &q)
	if err != nil {
		return nil, err
	}
	q.Max = max(q.Max, 1)
	f := &finding{several: v, q: q, take: take, targets: targets}
	if q.Wait > 0 {
		f.deadline = time.Now().Add(q.Wait)
	}
	switch {
	case len(targets) == 1:
		return targets[0].find(ctx, &q, take)
	case q.Held, q.Hidden != nil:
		return f.all(ctx)
	case len(q.Order) > 0:
		return f.best(ctx)
	}
	return f.any(ctx)
}

// finding is a read or a take of which several partitions may have matches.
type finding struct {
	*several
	q        space.Query
	take     bool
	targets  []*part
	deadline time.Time // of the wait; zero if it has no end
}

// part returns the query of a call that does not wait, for at most max entries.
func (f *finding) part(max int) space.Query {
	q := f.q
	q.NoWait, q.Wait, q.Max = true, 0, max
	return q
}

// rest returns the rest of the wait; 0 if it has no end.
func (f *finding) rest() time.Duration {
	if f.deadline.IsZero() {
		return 0
	}
	return max(1, time.Until(f.deadline))
}

// any finds matches in any order: in one partition after the other, and then by waiting in all.
func (f *finding) any(ctx context.Context) ([]space.Entry, error) {
	tries := len(f.targets)
	if !f.q.NoWait {
		tries = min(tries, maxTries)
	}
	found, err := f.inTurn(ctx, tries)
	if f.q.NoWait || !errors.Is(err, space.ErrNoMatch) || len(found) > 0 {
		return found, err
	}
	return f.wait(ctx)
}

// maxTries is the number of partitions that a call which may wait asks one after the other before it waits in all. If
// most partitions have matches one call is enough; if few have, waiting finds them as well.
const maxTries = 3

// inTurn asks some partitions one after the other, from a random one, until it has enough.
func (f *finding) inTurn(ctx context.Context, tries int) (found []space.Entry, err error) {
	n := len(f.targets)
	for i, first := 0, rand.IntN(n); i < tries && len(found) < f.q.Max; i++ {
		q := f.part(f.q.Max - len(found))
		some, err := f.targets[(first+i)%n].find(ctx, &q, f.take)
		if found = append(found, some...); err != nil && !errors.Is(err, space.ErrNoMatch) {
			return found, err
		}
	}
	if len(found) == 0 {
		return nil, space.ErrNoMatch
	}
	return found, nil
}

// all reads in all partitions, without a wait, whatever a read there returns.
func (f *finding) all(ctx context.Context) ([]space.Entry, error) {
	found := make([][]space.Entry, len(f.targets))
	hidden := make([]int, len(f.targets))
	err := each(f.targets, func(i int, p *part) (err error) {
		q := f.part(f.q.Max)
		if q.Hidden != nil {
			q.Hidden = &hidden[i]
		}
		if found[i], err = p.find(ctx, &q, f.take); errors.Is(err, space.ErrNoMatch) {
			err = nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if f.q.Hidden != nil {
		*f.q.Hidden = 0
		for _, n := range hidden {
			*f.q.Hidden += n
		}
	}
	return f.first(slices.Concat(found...))
}

// first returns the first entries in the order of the query, up to its maximum.
func (f *finding) first(all []space.Entry) ([]space.Entry, error) {
	if len(all) == 0 {
		return nil, space.ErrNoMatch
	}
	if len(f.q.Order) > 0 {
		slices.SortStableFunc(all, f.compare)
	}
	return all[:min(len(all), f.q.Max)], nil
}

// compare compares entries by the order of the query.
func (f *finding) compare(a, b space.Entry) int {
	t := f.q.Templates[0]
	for _, o := range f.q.Order {
		c := bytes.Compare(f.key(t, o.Field, &a), f.key(t, o.Field, &b))
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// key returns the field of an entry that is the one of a template with that position.
func (f *finding) key(t *template.Template, field int, e *space.Entry) template.Value {
	fields := t.Fields
	if fields == nil {
		fields = f.space.fields(t.Kind)
	}
	if field >= len(fields) {
		return nil
	}
	if at := e.Schema.Index(fields[field].Name); at >= 0 {
		return e.Row.Field(at)
	}
	return nil
}

// Count implements space.Space.
func (v *several) Count(ctx context.Context, q space.Query) (int, error) {
	if err := impl.Check(&q, impl.Count); err != nil {
		return 0, err
	}
	targets, err := v.targets(ctx, &q)
	if err != nil {
		return 0, err
	}
	counts := make([]int, len(targets))
	err = each(targets, func(i int, p *part) (err error) {
		counts[i], err = p.Count(ctx, q)
		return err
	})
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

// Contents implements space.Space: one partition after the other.
func (v *several) Contents(ctx context.Context, q space.Query) iter.Seq2[space.Entry, error] {
	return func(yield func(space.Entry, error) bool) {
		if err := impl.Check(&q, impl.Contents); err != nil {
			yield(space.Entry{}, err)
			return
		}
		targets, err := v.targets(ctx, &q)
		if err != nil {
			yield(space.Entry{}, err)
			return
		}
		left, hidden := q.Max, 0 // left is 0 without a bound, and then never 0 again
		for _, p := range targets {
			here, passed := q, 0
			here.Max = max(left, 0)
			if q.Hidden != nil {
				here.Hidden = &passed
			}
			for e, err := range p.Contents(ctx, here) {
				if !yield(e, err) || err != nil {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			hidden += passed
			if q.Hidden != nil {
				*q.Hidden = hidden
			}
		}
	}
}
