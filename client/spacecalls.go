package client

import (
	"context"
	"iter"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Register implements space.Space.
func (s *Space) Register(ctx context.Context, schema *template.Schema) (merged *template.Schema, err error) {
	err = s.make(func(c caller) error { merged, err = c.Register(ctx, schema); return err })
	return merged, err
}

// Schema implements space.Space.
func (s *Space) Schema(ctx context.Context, kind string) (known *template.Schema, err error) {
	err = s.make(func(c caller) error { known, err = c.Schema(ctx, kind); return err })
	return known, err
}

// Drop implements space.Space.
func (s *Space) Drop(ctx context.Context, kind string) error {
	return s.make(func(c caller) error { return c.Drop(ctx, kind) })
}

// Kinds implements space.Space.
func (s *Space) Kinds(ctx context.Context) (kinds []space.KindInfo, err error) {
	err = s.make(func(c caller) error { kinds, err = c.Kinds(ctx); return err })
	return kinds, err
}

// Write implements space.Space.
func (s *Space) Write(ctx context.Context, under txn.ID, entries []space.Draft) (grants []space.Grant, err error) {
	err = s.make(func(c caller) error { grants, err = c.Write(ctx, under, entries); return err })
	return grants, err
}

// Update implements space.Space.
func (s *Space) Update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	err = s.make(func(c caller) error { version, err = c.Update(ctx, under, ch); return err })
	return version, err
}

// Read implements space.Space.
func (s *Space) Read(ctx context.Context, q space.Query) (found []space.Entry, err error) {
	err = s.make(func(c caller) error { found, err = c.Read(ctx, q); return err })
	return found, err
}

// Take implements space.Space. If it returns space.ErrOutcomeUnknown an entry may have been taken.
func (s *Space) Take(ctx context.Context, q space.Query) (found []space.Entry, err error) {
	err = s.make(func(c caller) error { found, err = c.Take(ctx, q); return err })
	return found, err
}

// Count implements space.Space.
func (s *Space) Count(ctx context.Context, q space.Query) (n int, err error) {
	err = s.make(func(c caller) error { n, err = c.Count(ctx, q); return err })
	return n, err
}

// Contents implements space.Space. An iteration ends with space.ErrUnavailable if the server is restarted meanwhile.
func (s *Space) Contents(ctx context.Context, q space.Query) iter.Seq2[space.Entry, error] {
	return func(yield func(space.Entry, error) bool) {
		_ = s.make(func(c caller) error { // the error was yielded
			for e, err := range c.Contents(ctx, q) {
				if err == errMisrouted || !yield(e, err) {
					return err
				}
			}
			return nil
		})
	}
}

// Notify implements space.Space.
func (s *Space) Notify(
	ctx context.Context, q space.Query, on space.EventSet, lease time.Duration,
) (r space.Registration, err error) {
	err = s.make(func(c caller) error { r, err = c.Notify(ctx, q, on, lease); return err })
	return r, err
}

// Registrations returns the registrations of the space, of all clients, by ID, except those under transactions. It
// blocks until the server has answered. Registrations that come or end meanwhile may be missing.
func (s *Space) Registrations(ctx context.Context) (all []RegistrationInfo, err error) {
	err = s.make(func(c caller) error { all, err = c.Registrations(ctx); return err })
	return all, err
}

// Renew implements space.Space.
func (s *Space) Renew(
	ctx context.Context, lease time.Duration, ids ...space.LeaseID,
) (grants []space.Grant, err error) {
	err = s.make(func(c caller) error { grants, err = c.Renew(ctx, lease, ids...); return err })
	return grants, err
}

// Cancel implements space.Space.
func (s *Space) Cancel(ctx context.Context, ids ...space.LeaseID) error {
	return s.make(func(c caller) error { return c.Cancel(ctx, ids...) })
}

// Begin implements space.Space. The transaction is also aborted when the server notices that the client is gone.
func (s *Space) Begin(ctx context.Context, lease time.Duration) (t *space.Txn, err error) {
	err = s.make(func(c caller) error { t, err = c.Begin(ctx, lease); return err })
	return t, err
}

// Commit implements space.Space.
func (s *Space) Commit(ctx context.Context, id txn.ID, entries []space.Draft) (grants []space.Grant, err error) {
	err = s.make(func(c caller) error { grants, err = c.Commit(ctx, id, entries); return err })
	return grants, err
}

// Abort implements space.Space.
func (s *Space) Abort(ctx context.Context, id txn.ID) error {
	return s.make(func(c caller) error { return c.Abort(ctx, id) })
}

// Rollback implements space.Space.
func (s *Space) Rollback(ctx context.Context, id txn.ID, keep ...space.LeaseID) error {
	return s.make(func(c caller) error { return c.Rollback(ctx, id, keep...) })
}

// Defer implements space.Space.
func (s *Space) Defer(ctx context.Context, id txn.ID, entry space.LeaseID, delay time.Duration) error {
	return s.make(func(c caller) error { return c.Defer(ctx, id, entry, delay) })
}

// Outcome implements space.Space.
func (s *Space) Outcome(ctx context.Context, id space.CallID) (verdict space.Verdict, err error) {
	err = s.make(func(c caller) error { verdict, err = c.Outcome(ctx, id); return err })
	return verdict, err
}

// Snapshot makes the server take a snapshot of the space now, and returns the position in the log of the last change
// that it includes: of the first partition, if it has several. It blocks until the snapshots are on the disk. It
// returns space.ErrInvalidArgument if the server keeps no log.
func (s *Space) Snapshot(ctx context.Context) (position uint64, err error) {
	err = s.make(func(c caller) error { position, err = c.Snapshot(ctx); return err })
	return position, err
}
