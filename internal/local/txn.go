package local

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Group identifies the spaces with which this one shares transactions: those that return the same.
func (s *Space) Group() any {
	if s.group != nil {
		return s.group
	}
	return s
}

// Home returns the space in which a transaction began, if it is known here, and the transaction by its full name.
func (s *Space) Home(id txn.ID) (space.Space, txn.ID) {
	id = s.named(id)
	if s.group != nil {
		if home := s.group.Home(id.Space); home != nil {
			return home, id
		}
	}
	return s, id
}

// own returns id as the partition takes it: without its home if that is this space. It returns an error if the
// transaction began in a space with which this one shares none.
func (s *Space) own(id txn.ID) (txn.ID, error) {
	switch {
	case id.Space == "" || id.Space == s.name:
		return txn.ID{Number: id.Number}, nil
	case s.group == nil:
		return txn.ID{}, invalid("transaction %v began in another space, which shares no transactions with this one", id)
	}
	return id, nil
}

// under is own for a call that is about to be made under the transaction.
func (s *Space) under(id txn.ID) (txn.ID, error) {
	id, err := s.own(id)
	if err == nil && id.Space != "" {
		err = s.spans.Join(id, s.partition)
	}
	return id, err
}

// named returns id with its home.
func (s *Space) named(id txn.ID) txn.ID {
	if id.Space == "" {
		id.Space = s.name
	}
	return id
}

// Begin implements space.Space.
func (s *Space) Begin(ctx context.Context, lease time.Duration) (*space.Txn, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	sent := time.Now()
	s.partition.BeginTxn(c, c.next(), int64(lease), call.Request{}, "")
	if err := c.await(); err != nil {
		return nil, err
	}
	t := c.out.leases()[0].Txn(s, s.name, sent)
	s.txns.Add(t, nil)
	return t, nil
}

// ended notes that a transaction has ended, if a call that was to end it has had such an outcome.
func (s *Space) ended(id txn.ID, err error) {
	if err != nil && !errors.Is(err, space.ErrTxnEnded) {
		return
	}
	if home, id := s.Home(id); home != nil {
		if l, ok := home.(*Space); ok {
			l.txns.Remove(id.Number)
		}
	}
}

// Commit implements space.Space.
func (s *Space) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	grants, err := s.commit(ctx, id, entries)
	s.ended(id, err)
	return grants, err
}

func (s *Space) commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	if err := s.drafts(c, entries); err != nil {
		return nil, err
	}
	grants, err := c.end(ctx, s.spans.Commit(c, c.next(), id, s.partition, call.Request{}, c.drafts))
	if err != nil {
		if errors.Is(err, space.ErrOutcomeUnknown) {
			err = &space.OutcomeUnknownError{ID: space.TxnCall(s.named(id)), Err: err}
		}
		return nil, err
	}
	return leases(grants), nil
}

// Abort implements space.Space.
func (s *Space) Abort(ctx context.Context, id txn.ID) error {
	err := s.abort(ctx, id)
	s.ended(id, err)
	return err
}

func (s *Space) abort(ctx context.Context, id txn.ID) error {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	_, err = c.end(ctx, s.spans.Abort(c, c.next(), id, s.partition))
	return err
}

// Rollback implements space.Space.
func (s *Space) Rollback(ctx context.Context, id txn.ID, keep ...space.LeaseID) error {
	if err := call.CheckLeases(len(keep)); err != nil {
		return err
	}
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	_, err = c.end(ctx, s.spans.Rollback(c, c.next(), id, s.partition, c.leaseIDs(keep)))
	return err
}

// Defer implements space.Space.
func (s *Space) Defer(ctx context.Context, id txn.ID, entry space.LeaseID, delay time.Duration) error {
	if delay < 0 {
		return invalid("delay %v is negative", delay)
	}
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	if id, err = s.under(id); err != nil {
		return err
	}
	s.partition.Defer(c, c.next(), id, uint64(entry), int64(delay))
	return c.await()
}

// txnCaller returns a caller for a call about a transaction, and the transaction as the partition takes it.
func (s *Space) txnCaller(ctx context.Context, id txn.ID) (*caller, txn.ID, error) {
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
