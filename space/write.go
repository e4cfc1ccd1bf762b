package space

import (
	"context"
	"reflect"
	"time"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/txn"
)

// Write stores v, a struct or a pointer to one, and returns the lease of the entry. It stores a copy: what the caller
// does to v afterwards does not change it. It blocks until the entry is as durable as the space promises, and never
// because others hold entries.
//
// It returns ErrInvalidArgument for a value that cannot be stored, ErrSchemaConflict if the space knows its kind with
// other types of fields, ErrTooLarge beyond the space's limits, ErrSpaceFull or ErrLogFull if there is no room,
// ErrTxnEnded if the transaction has ended, and ErrUnavailable if the space does not serve: then nothing was stored.
// After ErrOutcomeUnknown the entry was stored or not.
func Write[T any](ctx context.Context, sp Space, v T, opts ...WriteOption) (*Lease, error) {
	if len(opts) == 0 {
		return writeOne(ctx, sp, &v)
	}
	c, err := newCall(sp, opts)
	if err != nil {
		return nil, err
	}
	defer c.free()
	leases, err := c.writeAll(ctx, sp, reflect.TypeFor[T](), func(known *codec.Codec) error { return c.draft(known, &v) })
	if err != nil {
		return nil, err
	}
	return leases[0], nil
}

// singleWrite is all that a write without options needs, in one small new object. A pooled one would have left the
// processor's caches when the call returns, after all that others did meanwhile.
type singleWrite struct {
	draft [1]Draft
	row   [128]byte
}

// writeOne is Write without options.
func writeOne[T any](ctx context.Context, sp Space, v *T) (*Lease, error) {
	for again := false; ; {
		known, err := sp.Codecs().For(ctx, sp, reflect.TypeFor[T]())
		if err != nil {
			return nil, err
		}
		w := new(singleWrite)
		row, schema, err := known.Encode(w.row[:0], v)
		if err != nil {
			return nil, err
		}
		w.draft[0] = Draft{Kind: schema.Kind, Schema: schema, Row: row, Lease: Forever}
		sent := time.Now()
		grants, err := sp.Write(ctx, txn.ID{}, w.draft[:])
		if err == nil {
			return grants[0].Lease(sp, sent), nil
		}
		if !known.Outdated(err, &again) {
			return nil, err
		}
	}
}

// WriteAll stores all of vs, or none, and returns their leases in the same order. It is Write otherwise. It returns
// ErrInvalidArgument if vs is empty, and ErrTooLarge, having stored nothing, for more than 8 MiB of entries
// (Config.MaxCall) or more than 4,096 (Config.MaxTxnEntries; the server's --max-txn-entries). Write more in parts, each
// of which is stored as a whole or not at all; a transaction has the same bounds.
func WriteAll[T any](ctx context.Context, sp Space, vs []T, opts ...WriteOption) ([]*Lease, error) {
	if len(vs) == 0 {
		return nil, invalid("there is nothing to write")
	}
	c, err := newCall(sp, opts)
	if err != nil {
		return nil, err
	}
	defer c.free()
	return c.writeAll(ctx, sp, reflect.TypeFor[T](), func(known *codec.Codec) error {
		for i := range vs {
			if err := c.draft(known, &vs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeAll stores what fill drafts with the codec of a type, once more if the codec is outdated.
func (c *typedCall) writeAll(ctx context.Context, sp Space, t reflect.Type,
	fill func(*codec.Codec) error,
) ([]*Lease, error) {
	for again := false; ; {
		known, err := sp.Codecs().For(ctx, sp, t)
		if err != nil {
			return nil, err
		}
		c.row, c.drafts = c.row[:0], c.drafts[:0]
		if err := fill(known); err != nil {
			return nil, err
		}
		sent := time.Now()
		grants, err := sp.Write(ctx, c.under(), c.drafts)
		if err == nil {
			return newLeases(sp, grants, sent, c.delay), nil
		}
		if !known.Outdated(err, &again) {
			return nil, err
		}
	}
}

// leaseBlock is how many leases share an allocation: a lease that is kept keeps so many.
const leaseBlock = 32

func newLeases(sp Space, grants []Grant, sent time.Time, delay time.Duration) []*Lease {
	leases := make([]*Lease, len(grants))
	var block []Lease
	for i, g := range grants {
		if len(block) == 0 {
			block = make([]Lease, min(len(grants)-i, leaseBlock))
		}
		leases[i], block = &block[0], block[1:]
		g.begin(leases[i], sp, sent, delay)
	}
	return leases
}

// draft adds v to what the call writes. A row stays where it was begun when the buffer moves on to a larger one.
func (c *typedCall) draft(known *codec.Codec, v any) error {
	begin := len(c.row)
	row, schema, err := known.Encode(c.row, v)
	if err != nil {
		return err
	}
	c.row = row
	c.drafts = append(c.drafts,
		Draft{
			Kind: schema.Kind, Schema: schema, Row: row[begin:len(row):len(row)], Lease: c.leaseOr(Forever),
			Delay: c.delay,
		})
	return nil
}
