package client

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Group identifies the spaces that share transactions: those of one Client, for which it returns the same value.
func (s *Space) Group() any { return s.client }

// Home returns the space of the Client in which a transaction began, and the transaction's full ID.
func (s *Space) Home(id txn.ID) (space.Space, txn.ID) {
	id.Space = cmp.Or(id.Space, s.name)
	if id.Space == s.name {
		return s, id
	}
	return s.client.SpaceNamed(id.Space), id
}

// homeOf returns the partition of this space in which a transaction began, or nil.
func (v *several) homeOf(id txn.ID) *part {
	if id.IsZero() || id.Space != "" && id.Space != v.space.name {
		return nil
	}
	return v.of(id.Number)
}

// through returns the partition to which a call about a transaction goes: where that began, or any if it began in
// another space.
func (v *several) through(id txn.ID) *part { return cmp.Or(v.homeOf(id), v.parts[0]) }

// Begin implements space.Space.
func (v *several) Begin(ctx context.Context, lease time.Duration) (*space.Txn, error) {
	return v.parts[rand.IntN(len(v.parts))].Begin(ctx, lease)
}

// Commit implements space.Space. Entries that live in other partitions than the one that commits are written before.
func (v *several) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	home := v.through(id)
	if len(entries) == 0 || checkTxn(id) != nil {
		return home.Commit(ctx, id, entries)
	}
	shares, err := v.sort(ctx, entries, home)
	if err != nil {
		return nil, err
	}
	if len(shares) == 1 && shares[0].part == home {
		return home.Commit(ctx, id, entries)
	}
	grants, err := v.writeShares(ctx, id, shares, entries)
	if err != nil {
		return nil, err
	}
	if _, err = home.Commit(ctx, id, nil); err != nil {
		return nil, err
	}
	return grants, nil
}

// Abort implements space.Space.
func (v *several) Abort(ctx context.Context, id txn.ID) error { return v.through(id).Abort(ctx, id) }

// Rollback implements space.Space.
func (v *several) Rollback(ctx context.Context, id txn.ID, keep ...space.LeaseID) error {
	return v.through(id).Rollback(ctx, id, keep...)
}

// Defer implements space.Space.
func (v *several) Defer(ctx context.Context, id txn.ID, entry space.LeaseID, delay time.Duration) error {
	return v.of(uint64(entry)).Defer(ctx, id, entry, delay)
}

// Outcome implements space.Space.
func (v *several) Outcome(ctx context.Context, id space.CallID) (space.Verdict, error) {
	if id.Session != 0 {
		return v.of(id.Session).Outcome(ctx, id)
	}
	return v.through(txn.ID{Space: id.Space, Number: id.Number}).Outcome(ctx, id)
}
