package client

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Begin implements space.Space.
func (s *part) Begin(ctx context.Context, lease time.Duration) (*space.Txn, error) {
	if lease < 0 {
		return nil, invalid("lease %v is negative", lease)
	}
	c := newCall(s, wire.BeginTxn)
	defer c.free()
	c.lease = int64(lease)
	sent := time.Now()
	r, err := c.do(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := grantsOf(r, 1)
	if err != nil {
		return nil, err
	}
	t := grants[0].Txn(s.space, s.at.Space, sent)
	s.txns.Add(t, c.via.lane)
	return t, nil
}

// Commit implements space.Space.
func (s *part) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if err := checkTxn(id); err != nil {
		return nil, err
	}
	grants, err := s.write(ctx, wire.Commit, id, entries)
	s.ended(id, err)
	return grants, err
}

// Abort implements space.Space.
func (s *part) Abort(ctx context.Context, id txn.ID) error {
	c := newCall(s, wire.Abort)
	defer c.free()
	c.lane = s.beganOn(id)
	err := s.doTxn(ctx, c, id)
	s.ended(id, err)
	return err
}

// beganOn returns the lane on which a transaction began, if there are several: a call that ends the transaction uses
// it, because the session there counts the transaction as open until then. It returns nil if any lane will do.
func (s *part) beganOn(id txn.ID) *lane {
	if len(s.client.lanes) == 1 {
		return nil
	}
	l, _ := s.homeOf(id).txns.Owner(id.Number).(*lane)
	return l
}

// homeOf returns the partition in which a transaction began.
func (s *part) homeOf(id txn.ID) *part {
	id.Space = cmp.Or(id.Space, s.at.Space)
	if home := id.Home(); home != s.at {
		return s.client.SpaceNamed(id.Space).at(home.Partition)
	}
	return s
}

// ended notes that a transaction has ended, if a call that was to end it has had such an outcome.
func (s *part) ended(id txn.ID, err error) {
	if err != nil && !errors.Is(err, space.ErrTxnEnded) {
		return
	}
	s.homeOf(id).txns.Remove(id.Number)
}

// Rollback implements space.Space.
func (s *part) Rollback(ctx context.Context, id txn.ID, keep ...space.LeaseID) error {
	if err := call.CheckLeases(len(keep)); err != nil {
		return err
	}
	c := newCall(s, wire.Rollback)
	defer c.free()
	c.ids = keep
	return s.doTxn(ctx, c, id)
}

// Defer implements space.Space.
func (s *part) Defer(ctx context.Context, id txn.ID, entry space.LeaseID, delay time.Duration) error {
	if delay < 0 {
		return invalid("delay %v is negative", delay)
	}
	c := newCall(s, wire.Defer)
	defer c.free()
	c.id, c.delay = uint64(entry), delay
	return s.doTxn(ctx, c, id)
}

// doTxn makes a call about a transaction, whose answer is empty.
func (s *part) doTxn(ctx context.Context, c *pendingCall, id txn.ID) error {
	if err := checkTxn(id); err != nil {
		return err
	}
	c.txn = id
	_, err := c.do(ctx)
	return err
}

func checkTxn(id txn.ID) error {
	if id.Number == 0 {
		return invalid("no transaction is named")
	}
	return nil
}
