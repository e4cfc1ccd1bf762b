package local

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Write implements space.Space.
func (s *Space) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if len(entries) == 0 {
		return nil, invalid("there is nothing to write")
	}
	under, err := s.under(under)
	if err != nil {
		return nil, err
	}
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	if err := s.drafts(c, entries); err != nil {
		return nil, err
	}
	s.partition.Write(c, c.next(), under, call.Request{}, c.drafts)
	if err := c.await(); err != nil {
		return nil, err
	}
	return c.out.leases(), nil
}

// drafts sets c.drafts to entries as the partition takes them.
func (s *Space) drafts(c *caller, entries []space.Draft) error {
	for i := range entries {
		d := &entries[i]
		kind, err := s.checkRow(d.Kind, d.Schema, d.Row)
		if err != nil {
			return err
		}
		c.drafts = append(c.drafts, call.Draft{Kind: kind, Row: d.Row, Lease: int64(d.Lease), Delay: int64(d.Delay)})
	}
	return nil
}

// checkRow returns the number of the named kind, or an error if row is not one of its rows. made is the schema in whose
// order row is, nil for that which the kind has now.
func (s *Space) checkRow(name string, made *template.Schema, row template.Row) (call.KindID, error) {
	kind := s.partition.KindID(name)
	if kind == 0 {
		return 0, fmt.Errorf("%w: %w: %q is not registered", space.ErrInvalidArgument, call.ErrUnknownKind, name)
	}
	schema := s.partition.Schema(kind)
	if made != nil && made != schema && !schema.Extends(made) {
		return 0, fmt.Errorf("%w: the row was made for another schema of kind %q", space.ErrSchemaConflict, name)
	}
	if err := row.Check(schema); err != nil {
		return 0, misfit(err)
	}
	return kind, nil
}

// Update implements space.Space.
func (s *Space) Update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	return impl.Update(ctx, s, under, ch.ID, func() (uint32, error) { return s.update(ctx, under, ch) })
}

// update is Update that does not wait.
func (s *Space) update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	if under, err = s.under(under); err != nil {
		return 0, err
	}
	kind, err := s.checkRow(ch.Kind, ch.Schema, ch.Row)
	if err != nil {
		return 0, err
	}
	c, err := s.caller(ctx)
	if err != nil {
		return 0, err
	}
	defer s.release(c)
	s.partition.Update(c, c.next(), under, call.Request{},
		call.Change{ID: uint64(ch.ID), Version: ch.Version, Kind: kind, Row: ch.Row})
	err = c.await()
	return c.out.version, err
}

// Renew implements space.Space.
func (s *Space) Renew(ctx context.Context, d time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
	if err := call.CheckLeases(len(ids)); err != nil {
		return nil, err
	}
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Renew(c, c.next(), call.Request{}, int64(d), c.leaseIDs(ids))
	if err := c.await(); err != nil {
		return nil, err
	}
	return c.out.leases(), c.out.leaseError(ids)
}

// Cancel implements space.Space.
func (s *Space) Cancel(ctx context.Context, ids ...space.LeaseID) error {
	if err := call.CheckLeases(len(ids)); err != nil {
		return err
	}
	c, err := s.caller(ctx)
	if err != nil {
		return err
	}
	defer s.release(c)
	if s.group != nil {
		s.spans.Cancelling(s.partition, c.leaseIDs(ids))
	}
	s.partition.Cancel(c, c.next(), call.Request{}, c.leaseIDs(ids))
	if err := c.await(); err != nil {
		return err
	}
	return c.out.leaseError(ids)
}
