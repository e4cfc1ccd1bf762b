package client

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/route"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Write implements space.Space. Entries that may live anywhere go to one partition together, the next one in turn or,
// under a transaction, its home. A call with entries of several partitions is a transaction.
func (v *several) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	sorted, err := v.sort(ctx, entries, v.homeOf(under))
	if err != nil {
		return nil, err
	}
	if len(sorted) == 1 || !under.IsZero() {
		return v.writeShares(ctx, under, sorted, entries)
	}
	for {
		grants, err := v.writeAtOnce(ctx, sorted, len(entries))
		if !errors.Is(err, space.ErrTxnEnded) || ctx.Err() != nil {
			return grants, err
		} // nothing was written: a connection was lost on the way
	}
}

// writeShares writes the shares of some entries, under a transaction or to one partition only.
func (v *several) writeShares(ctx context.Context, under txn.ID, shares []share, entries []space.Draft,
) ([]space.Grant, error) {
	if len(shares) == 1 {
		return shares[0].part.Write(ctx, under, entries)
	}
	return v.writeEach(ctx, under, shares, len(entries))
}

// share is the part of a call's entries for one partition.
type share struct {
	part    *part
	entries []space.Draft // nil in an only share, which has all entries
	places  []int         // places of these entries among all
}

// sort returns the shares of the partitions, at least one. Entries that may live anywhere go to the partition of others
// or, if there are none, to home; if that is nil, to the next one in turn.
func (v *several) sort(ctx context.Context, entries []space.Draft, home *part) (shares []share, err error) {
	at := make(map[*part]int)
	add := func(p *part, i int) {
		n, known := at[p]
		if !known {
			n = len(shares)
			at[p], shares = n, append(shares, share{part: p})
		}
		shares[n].entries, shares[n].places = append(shares[n].entries, entries[i]), append(shares[n].places, i)
	}
	var anywhere []int
	for i := range entries {
		p, err := v.placeOf(ctx, &entries[i])
		switch {
		case err != nil:
			return nil, err
		case p == nil:
			anywhere = append(anywhere, i)
		case len(entries) == 1:
			return []share{{part: p}}, nil
		default:
			add(p, i)
		}
	}
	switch {
	case home != nil:
	case len(shares) > 0:
		home = shares[0].part
	default:
		home = v.parts[v.anywhere()]
	}
	if len(shares) == 0 {
		return []share{{part: home}}, nil
	}
	for _, i := range anywhere {
		add(home, i)
	}
	return shares, nil
}

// placeOf returns the partition in which an entry has to live, or nil.
func (v *several) placeOf(ctx context.Context, d *space.Draft) (*part, error) {
	schema := d.Schema
	if schema == nil {
		var err error
		if schema, err = v.Schema(ctx, d.Kind); err != nil || schema == nil {
			return nil, err // the write returns the error of the kind
		}
	}
	if at, fixed := route.Of(schema, d.Row, len(v.parts)); fixed {
		return v.parts[at], nil
	}
	return nil, nil
}

// spreadLease is the lease of the transaction of a write to several partitions, which ends it if the client dies.
const spreadLease = time.Minute

// writeAtOnce writes shares under a transaction of its own.
func (v *several) writeAtOnce(ctx context.Context, shares []share, n int) ([]space.Grant, error) {
	home := shares[0].part
	t, err := home.Begin(ctx, spreadLease)
	if err != nil {
		return nil, err
	}
	grants, err := v.writeEach(ctx, t.ID(), shares, n)
	if err != nil {
		home.abandon(ctx, t)
		return nil, err
	}
	_, err = home.Commit(ctx, t.ID(), nil)
	return grants, err
}

// abandon aborts a transaction that was not returned to a caller. If that fails, its lease ends it.
func (s *part) abandon(ctx context.Context, t *space.Txn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.client.cfg.Grace)
	defer cancel()
	_ = s.Abort(ctx, t.ID())
}

// writeEach writes shares under a transaction, concurrently, and returns the grants of all n entries in their order. If
// one share fails, the others are taken back: the transaction is as it was.
func (v *several) writeEach(ctx context.Context, under txn.ID, shares []share, n int) ([]space.Grant, error) {
	grants := make([]space.Grant, n)
	err := eachShare(shares, func(s *share) error {
		own, err := s.part.Write(ctx, under, s.entries)
		for i, g := range own {
			grants[s.places[i]] = g
		}
		return err
	})
	if err == nil {
		return grants, nil
	}
	for _, g := range grants {
		if g.ID != 0 {
			v.takeBack(ctx, under, g.ID)
		}
	}
	return nil, err
}

// takeBack removes an entry that was written under a transaction.
func (v *several) takeBack(ctx context.Context, under txn.ID, id space.LeaseID) {
	q := space.Query{Templates: []*template.Template{{}}}
	q.ID, q.Txn, q.NoWait = id, under, true
	_, _ = v.of(uint64(id)).Take(ctx, q) // an error means that the transaction has ended
}

func eachShare(shares []share, f func(s *share) error) error {
	parts := make([]*part, len(shares))
	for i := range shares {
		parts[i] = shares[i].part
	}
	return each(parts, func(i int, _ *part) error { return f(&shares[i]) })
}

// Update implements space.Space.
func (v *several) Update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	return v.of(uint64(ch.ID)).Update(ctx, under, ch)
}
