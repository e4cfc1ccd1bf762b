package space

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/txn"
)

// Write implements Space.
func (s *Local) Write(ctx context.Context, entries []Draft) ([]Grant, error) {
	if len(entries) == 0 {
		return nil, invalid("there is nothing to write")
	}
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	for i := range entries {
		d, err := s.draft(&entries[i])
		if err != nil {
			return nil, err
		}
		c.drafts = append(c.drafts, d)
	}
	s.partition.Write(c, c.next(), txn.ID{}, engine.Request{}, c.drafts)
	if err := c.await(); err != nil {
		return nil, err
	}
	return c.out.leases(), nil
}

func (s *Local) draft(d *Draft) (engine.Draft, error) {
	kind := s.partition.KindID(d.Kind)
	if kind == 0 {
		return engine.Draft{}, invalid("kind %q is not registered", d.Kind)
	}
	if err := d.Row.Check(s.partition.Schema(kind)); err != nil {
		return engine.Draft{}, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	return engine.Draft{Kind: kind, Row: d.Row, Lease: int64(d.Lease)}, nil
}

// Renew implements Space.
func (s *Local) Renew(ctx context.Context, d time.Duration, ids ...LeaseID) ([]Grant, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Renew(c, c.next(), engine.Request{}, int64(d), c.leaseIDs(ids))
	if err := c.await(); err != nil {
		return nil, err
	}
	return c.out.leases(), c.out.leaseError(ids)
}

// Cancel implements Space.
func (s *Local) Cancel(ctx context.Context, ids ...LeaseID) error {
	c, err := s.caller(ctx)
	if err != nil {
		return err
	}
	defer s.release(c)
	s.partition.Cancel(c, c.next(), engine.Request{}, c.leaseIDs(ids))
	if err := c.await(); err != nil {
		return err
	}
	return c.out.leaseError(ids)
}
