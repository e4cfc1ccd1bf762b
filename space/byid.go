package space

import (
	"context"

	"github.com/gospaces/gospaces/space/codec"
)

// ReadID returns a copy of the entry with an identity, the ID of its Lease, if it is of T's kind. It does not wait for
// an entry to be written, only while others hold this one locked. It returns ErrNoMatch if there is no such entry.
func ReadID[T any](ctx context.Context, sp Space, id LeaseID, opts ...IDOption) (T, error) {
	return byID[T](ctx, sp, id, verb{ifExists: true}, opts)
}

// TakeID is ReadID that removes what it returns.
func TakeID[T any](ctx context.Context, sp Space, id LeaseID, opts ...IDOption) (T, error) {
	return byID[T](ctx, sp, id, verb{take: true, ifExists: true}, opts)
}

func byID[T any](ctx context.Context, sp Space, id LeaseID, v verb, opts []IDOption) (T, error) {
	var found T
	known, q, err := queryID[T](ctx, sp, id, opts)
	if err != nil {
		return found, err
	}
	err = first(ctx, sp, known, q, v, &found)
	return found, err
}

// queryID returns the query for the entry with an identity.
func queryID[T any](ctx context.Context, sp Space, id LeaseID, opts []IDOption) (*codec.Codec, Query, error) {
	if id == 0 {
		return nil, Query{}, invalid("no entry has the identity 0")
	}
	known, c, err := begin[T](sp, opts)
	if err != nil {
		return nil, Query{}, err
	}
	defer c.free()
	var template T
	q, err := c.query(ctx, sp, known, &template)
	q.ID = id
	return known, q, err
}
