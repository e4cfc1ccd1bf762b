package space

import (
	"cmp"
	"context"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/txn"
)

// own returns id as the partition takes it, or an error if the transaction began in another space.
func (s *Local) own(id txn.ID) (txn.ID, error) {
	if id.Space != "" && id.Space != s.name {
		return txn.ID{}, invalid("transaction %v began in another space, which shares no transactions with this one", id)
	}
	return txn.ID{Number: id.Number}, nil
}

// Group tells which spaces share transactions: a space in process does so with no other.
func (s *Local) Group() any { return s }

// Home returns the space in which a transaction began, which can only be this one, and the transaction by its full name.
func (s *Local) Home(id txn.ID) (Space, txn.ID) {
	return s, txn.ID{Space: cmp.Or(id.Space, s.name), Number: id.Number}
}

// Begin implements Space.
func (s *Local) Begin(ctx context.Context, lease time.Duration) (*Txn, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	sent := time.Now()
	s.partition.BeginTxn(c, c.next(), int64(lease))
	if err := c.await(); err != nil {
		return nil, err
	}
	g := c.out.grants[0]
	return NewTxn(s, txn.ID{Space: s.name, Number: g.ID}, time.Duration(g.Granted), sent), nil
}

// Commit implements Space.
func (s *Local) Commit(ctx context.Context, id txn.ID, entries []Draft) ([]Grant, error) {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	if err := s.drafts(c, entries); err != nil {
		return nil, err
	}
	s.partition.Commit(c, c.next(), id, engine.Request{}, c.drafts)
	if err := c.await(); err != nil {
		return nil, err
	}
	return c.out.leases(), nil
}

// Abort implements Space.
func (s *Local) Abort(ctx context.Context, id txn.ID) error {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	s.partition.Abort(c, c.next(), id)
	return c.await()
}

// Rollback implements Space.
func (s *Local) Rollback(ctx context.Context, id txn.ID, keep ...LeaseID) error {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	s.partition.Rollback(c, c.next(), id, c.leaseIDs(keep))
	return c.await()
}

// Defer implements Space.
func (s *Local) Defer(ctx context.Context, id txn.ID, entry LeaseID, delay time.Duration) error {
	if delay < 0 {
		return invalid("delay %v is negative", delay)
	}
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	s.partition.Defer(c, c.next(), id, uint64(entry), int64(delay))
	return c.await()
}

// txnCaller returns a caller for a call about a transaction, and the transaction as the partition takes it.
func (s *Local) txnCaller(ctx context.Context, id txn.ID) (*caller, txn.ID, error) {
	id, err := s.own(id)
	if err != nil {
		return nil, id, err
	}
	if id.IsZero() {
		return nil, id, invalid("no transaction is named")
	}
	c, err := s.caller(ctx)
	return c, id, err
}
