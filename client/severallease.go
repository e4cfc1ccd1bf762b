package client

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/gospaces/gospaces/space"
)

// Renew implements space.Space.
func (v *several) Renew(ctx context.Context, lease time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
	grants := make([]space.Grant, len(ids))
	err := v.eachLease(ids, func(p *part, own []space.LeaseID, places []int) error {
		some, err := p.Renew(ctx, lease, own...)
		for i, g := range some {
			grants[places[i]] = g
		}
		return err
	})
	if lost := (*space.LeaseError)(nil); err != nil && !errors.As(err, &lost) {
		return nil, err
	}
	return grants, err
}

// Cancel implements space.Space.
func (v *several) Cancel(ctx context.Context, ids ...space.LeaseID) error {
	return v.eachLease(ids, func(p *part, own []space.LeaseID, _ []int) error { return p.Cancel(ctx, own...) })
}

// eachLease makes a call in each partition that has issued some of the leases, concurrently, with these and their
// places among all. It returns a *space.LeaseError if the only errors are of leases that had ended.
func (v *several) eachLease(
	ids []space.LeaseID, call func(p *part, own []space.LeaseID, places []int) error,
) error {
	var parts []*part
	own, places := map[*part][]space.LeaseID{}, map[*part][]int{}
	for i, id := range ids {
		p := v.of(uint64(id))
		if own[p] == nil {
			parts = append(parts, p)
		}
		own[p], places[p] = append(own[p], id), append(places[p], i)
	}
	if len(parts) == 0 {
		parts = v.parts[:1]
	}
	errs := make([]error, len(parts))
	_ = each(parts, func(i int, p *part) error {
		errs[i] = call(p, own[p], places[p])
		return nil
	})
	ended := map[space.LeaseID]error{}
	for _, err := range errs {
		lost := (*space.LeaseError)(nil)
		switch {
		case err == nil:
		case errors.As(err, &lost):
			maps.Copy(ended, lost.Failed)
		default:
			return err
		}
	}
	if len(ended) > 0 {
		return &space.LeaseError{Failed: ended}
	}
	return nil
}
