package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Outcome implements space.Space.
func (s *part) Outcome(ctx context.Context, id space.CallID) (space.Verdict, error) {
	if id.Number == 0 {
		return space.Verdict{}, invalid("no call is named")
	}
	if id.Space == "" {
		id.Space = s.at.Space
	}
	if id.Session != 0 {
		for _, l := range s.client.topology.allLinks() {
			if o := l.orphan(id); o != nil {
				return o.await(ctx)
			}
		}
	}
	c := newCall(s, wire.Outcome)
	defer c.free()
	c.session, c.txn = id.Session, txn.ID{Space: id.Space, Number: id.Number}
	r, err := c.do(ctx)
	if err != nil {
		return space.Verdict{}, err
	}
	return c.verdict(r, space.Fate(r.Fate))
}

// verdict returns what has become of a call with a result.
func (c *pendingCall) verdict(r *call.Result, fate space.Fate) (v space.Verdict, err error) {
	v = space.Verdict{Fate: fate, Version: r.Version}
	for _, g := range r.Grants {
		v.Grants = append(v.Grants, grantOf(g))
	}
	if len(r.Entries) > 0 {
		v.Entries, err = c.entries(r)
	}
	return v, err
}

// about returns the transaction of c, or that c is about; zero if there is none.
func (c *pendingCall) about() txn.ID {
	id := c.txn
	if c.entry().HasQuery() {
		id = c.query.Txn
	}
	if !id.IsZero() && id.Space == "" {
		id.Space = c.part.at.Space
	}
	return id
}

// explain returns the error of c if err says that its outcome is unknown: the caller can ask for the outcome. Changes
// under a transaction are known to have had no effect if the transaction was aborted.
func (l *link) explain(ctx context.Context, c *pendingCall, err error) error {
	if err == nil || !errors.Is(err, space.ErrOutcomeUnknown) {
		return err
	}
	if id := c.about(); !id.IsZero() && c.op != wire.Outcome {
		return c.explainTxn(ctx, id, err)
	}
	unknown := &space.OutcomeUnknownError{Err: err}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.recorded() {
		unknown.ID = l.identityLocked(c)
	}
	return unknown
}

func (c *pendingCall) explainTxn(ctx context.Context, id txn.ID, err error) error {
	unknown := &space.OutcomeUnknownError{ID: space.TxnCall(id), Err: err}
	if ctx.Err() != nil || c.part.isClosed() {
		return unknown
	}
	v, asked := c.part.Outcome(ctx, space.TxnCall(id))
	switch {
	case asked != nil:
	case v.Fate == space.Aborted:
		return fmt.Errorf("%w: the connection was lost, and the transaction aborted", call.ErrTxnEnded)
	case v.Fate == space.Committed && c.op == wire.Commit && len(c.drafts) == 0:
		return nil
	}
	return unknown
}

// grantsOf returns the leases of a result, which has n.
func grantsOf(r *call.Result, n int) ([]space.Grant, error) {
	if len(r.Grants) != n {
		return nil, fmt.Errorf("%w: %d leases in the place of %d", wire.ErrMalformed, len(r.Grants), n)
	}
	grants := make([]space.Grant, n)
	for i, g := range r.Grants {
		grants[i] = grantOf(g)
	}
	return grants, nil
}

func grantOf(g call.Grant) space.Grant {
	return space.Grant{ID: space.LeaseID(g.ID), Granted: time.Duration(g.Granted)}
}
