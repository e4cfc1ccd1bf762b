package client

import (
	"context"
	"errors"

	"github.com/gospaces/gospaces/space"
)

// wait waits for a match in all of the partitions. A read returns the first answer. A take has a match reserved in each
// partition, and then takes the reserved entry of one. DESIGN.md explains why it takes at most one.
func (f *finding) wait(ctx context.Context) ([]space.Entry, error) {
	r := f.start(ctx)
	defer r.end()
	for {
		switch o, err := r.next(); {
		case err != nil:
			return nil, err
		case !f.take:
			return o.found, nil
		default:
			found, err := f.confirm(ctx, &o)
			if !errors.Is(err, space.ErrNoMatch) {
				return found, err
			}
			r.enter(o.part) // another call has taken it: the reservation was over
		}
	}
}

// confirm takes the entry that a partition has reserved, and what else there is to take. It returns space.ErrNoMatch if
// the entry no longer exists, which also says that this call has not taken it.
func (f *finding) confirm(ctx context.Context, o *outcome) ([]space.Entry, error) {
	q := f.part(1)
	q.ID, q.Order = o.found[0].ID, nil
	found, err := o.part.find(ctx, &q, true)
	if err != nil {
		o.release()
		return nil, err
	}
	if f.q.Max > 1 {
		q := f.part(f.q.Max - 1)
		more, err := o.part.find(ctx, &q, true)
		if found = append(found, more...); err != nil && !errors.Is(err, space.ErrNoMatch) {
			return found, err
		}
	}
	return found, nil
}

// race is a call that waits in several partitions at once. It belongs to one goroutine.
type race struct {
	*finding
	ctx      context.Context
	cancel   context.CancelFunc
	outcomes chan outcome // one slot for each goroutine, so that none blocks
	running  int
}

// outcome is how the wait in one partition has ended.
type outcome struct {
	part *part
	reservation
	err error
}

// start begins to wait in all partitions.
func (f *finding) start(ctx context.Context) *race {
	r := &race{finding: f, outcomes: make(chan outcome, len(f.targets))}
	r.ctx, r.cancel = context.WithCancel(ctx)
	for _, p := range f.targets {
		r.enter(p)
	}
	return r
}

// enter begins to wait in one partition.
func (r *race) enter(p *part) {
	r.running++
	r.client().racing.Go(func() { r.outcomes <- r.run(p) })
}

// run waits in one partition.
func (r *race) run(p *part) outcome {
	o := outcome{part: p}
	q := r.q
	q.Wait = r.rest()
	if !r.take {
		o.found, o.err = p.find(r.ctx, &q, false)
		return o
	}
	q.Max, q.Begin, q.Lease = 1, false, 0
	o.reservation, o.err = p.reserve(r.ctx, &q)
	return o
}

// next waits for the next partition that has a match. It returns space.ErrNoMatch once none has and none is waited for
// any more, and otherwise the first error.
func (r *race) next() (outcome, error) {
	for r.running > 0 {
		o := <-r.outcomes
		r.running--
		if !errors.Is(o.err, space.ErrNoMatch) {
			return o, o.err
		}
	}
	return outcome{}, space.ErrNoMatch
}

// end cancels the remaining waits, and releases what they have reserved or are yet to reserve.
func (r *race) end() {
	r.cancel()
	if r.running == 0 {
		return
	}
	r.client().racing.Go(func() {
		for ; r.running > 0; r.running-- {
			o := <-r.outcomes
			o.release()
		}
	})
}

// release releases the reservation, if there is one.
func (o *outcome) release() { o.reservation.release(o.part) }

// client returns the client that the race belongs to.
func (r *race) client() *Client { return r.space.client }
