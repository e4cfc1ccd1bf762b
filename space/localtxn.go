package space

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Group identifies the spaces with which this one shares transactions: those that return the same.
func (s *Local) Group() any {
	if s.group != nil {
		return s.group
	}
	return s
}

// Home returns the space in which a transaction began, if it is known here, and the transaction by its full name.
func (s *Local) Home(id txn.ID) (Space, txn.ID) {
	id = s.named(id)
	if s.group != nil {
		if home := s.group.lookup(id.Space); home != nil {
			return home, id
		}
	}
	return s, id
}

// own returns id as the partition takes it: without its home if that is this space. It returns an error if the transaction began in a
// space with which this one shares none.
func (s *Local) own(id txn.ID) (txn.ID, error) {
	switch {
	case id.Space == "" || id.Space == s.name:
		return txn.ID{Number: id.Number}, nil
	case s.group == nil:
		return txn.ID{}, invalid("transaction %v began in another space, which shares no transactions with this one", id)
	}
	return id, nil
}

// under is own for a call that is about to be made under the transaction.
func (s *Local) under(id txn.ID) (txn.ID, error) {
	id, err := s.own(id)
	if err == nil && id.Space != "" {
		err = s.group.spans.Join(id, s.partition)
	}
	return id, err
}

// named returns id with its home.
func (s *Local) named(id txn.ID) txn.ID {
	if id.Space == "" {
		id.Space = s.name
	}
	return id
}

// spans reports whether a transaction, as own has returned it, concerns other spaces than this one.
func (s *Local) spans(id txn.ID) bool {
	return id.Space != "" || s.group != nil && s.partition.Spans(id.Number)
}

// Begin implements Space.
func (s *Local) Begin(ctx context.Context, lease time.Duration) (*Txn, error) {
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
	g := c.out.grants[0]
	t := NewTxn(s, txn.ID{Space: s.name, Number: g.ID}, time.Duration(g.Granted), sent)
	s.txns.Add(t, nil)
	return t, nil
}

// ended notes that a transaction has ended, if a call that was to end it has had such an outcome.
func (s *Local) ended(id txn.ID, err error) {
	if err != nil && !errors.Is(err, ErrTxnEnded) {
		return
	}
	if home, id := s.Home(id); home != nil {
		if l, ok := home.(*Local); ok {
			l.txns.Remove(id.Number)
		}
	}
}

// Commit implements Space.
func (s *Local) Commit(ctx context.Context, id txn.ID, entries []Draft) ([]Grant, error) {
	grants, err := s.commit(ctx, id, entries)
	s.ended(id, err)
	return grants, err
}

func (s *Local) commit(ctx context.Context, id txn.ID, entries []Draft) ([]Grant, error) {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	if err := s.drafts(c, entries); err != nil {
		return nil, err
	}
	if id.Space != "" || !s.partition.Commit(c, c.next(), id, call.Request{}, c.drafts) {
		// ctx does not end what all spaces must agree upon, and there is no log for which it could have to wait.
		grants, err := s.group.spans.Commit(context.WithoutCancel(ctx), s.named(id), s.partition, call.Request{}, c.drafts)
		return leases(grants), unknownTxn(s.named(id), err)
	}
	if err := c.await(); err != nil {
		return nil, unknownTxn(s.named(id), err)
	}
	return c.out.leases(), nil
}

// Abort implements Space.
func (s *Local) Abort(ctx context.Context, id txn.ID) error {
	err := s.abort(ctx, id)
	s.ended(id, err)
	return err
}

func (s *Local) abort(ctx context.Context, id txn.ID) error {
	c, id, err := s.txnCaller(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(c)
	if s.spans(id) {
		return s.group.spans.Abort(context.WithoutCancel(ctx), s.named(id))
	}
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
	if s.spans(id) {
		return s.group.spans.Rollback(context.WithoutCancel(ctx), s.named(id), s.partition, c.leaseIDs(keep))
	}
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
	if id, err = s.under(id); err != nil {
		return err
	}
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
