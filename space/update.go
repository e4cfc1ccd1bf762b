package space

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
)

// Update changes the oldest entry that matches template in its place: change gets what it holds and makes of it what it
// shall hold. Fields that T does not have stay as they are, and so do the entry's identity, lease and age. If the entry
// is changed or taken meanwhile, Update begins again with the entry that matches then; so change may be called several
// times. It returns the entry as it is now.
//
// It waits for a match as Read does, and returns the errors of Read and Write, and that of change as it is; the entry
// has then not been changed. Under a transaction (In) it waits for one that it could take: transactions that update the
// same entry come one after the other, in the order of their calls, and those that wait for each other in a circle are
// a deadlock (ErrDeadlock). Without one it begins again while the match is read-locked, and returns ErrLocked at the
// end of its wait.
func Update[T any](ctx context.Context, sp Space, template T, change func(*T) error, opts ...TakeOption) (T, error) {
	var none T
	if change == nil {
		return none, invalid("there is no function that changes the entry")
	}
	known, q, err := query(ctx, sp, &template, opts)
	if err != nil {
		return none, err
	}
	v := new(T)
	if err := modify(ctx, sp, q, changing(ctx, sp, known, v, change)); err != nil {
		return none, err
	}
	return *v, nil
}

// edit returns the new row of an entry, and the schema of that.
type edit func(e *Entry) (template.Row, *template.Schema, error)

// changing is the edit that change makes, in v.
func changing[T any](ctx context.Context, sp Space, known *codec.Codec, v *T, change func(*T) error) edit {
	return func(e *Entry) (template.Row, *template.Schema, error) {
		var none T
		*v = none
		if err := decode(known, e, v); err != nil {
			return nil, nil, err
		}
		if err := change(v); err != nil {
			return nil, nil, err
		}
		return known.Over(ctx, sp, e.Schema, e.Row, v)
	}
}

// Add adds n to an integer field (its name in the space, not in Go) of the oldest entry that matches template, and
// returns the sum; a null field counts as 0. It is Update otherwise: it waits for a match unless NoWait is given, and
// of many that add at the same time, every number counts. It returns ErrInvalidArgument if the field is no integer, or
// the sum does not fit into 64 bits.
func Add[T any](ctx context.Context, sp Space, template T, field string, n int64, opts ...TakeOption) (int64, error) {
	known, q, err := query(ctx, sp, &template, opts)
	if err != nil {
		return 0, err
	}
	var sum int64
	if err := modify(ctx, sp, q, adding(ctx, sp, known, field, n, &sum)); err != nil {
		return 0, err
	}
	return sum, nil
}

// adding is the edit that adds n to a field and sets sum to the result.
func adding(ctx context.Context, sp Space, known *codec.Codec, field string, n int64, sum *int64) edit {
	return func(e *Entry) (template.Row, *template.Schema, error) {
		s := e.Schema
		if s.Index(field) < 0 && known.Own().Index(field) >= 0 && e.Kind() == known.Kind() {
			if err := known.Register(ctx, sp); err != nil {
				return nil, nil, err
			}
			s = known.Schema()
		}
		i := s.Index(field)
		var err error
		if *sum, err = added(e, s, i, field, n); err != nil {
			return nil, nil, err
		}
		return e.Row.With(i, template.AppendInt(nil, *sum)), s, nil
	}
}

// added returns n more than field i of e, whose kind has the schema s.
func added(e *Entry, s *template.Schema, i int, name string, n int64) (int64, error) {
	if i < 0 {
		return 0, invalid("kind %q has no field %q", e.Kind(), name)
	}
	f := s.Fields[i]
	if !f.Class.SameFamily(template.Int) {
		return 0, invalid("field %q of kind %q is %s, not an integer", name, e.Kind(), f.Class)
	}
	var old int64
	if v := e.Row.Field(i); v != nil {
		var ok bool
		if old, ok = v.Int(); !ok {
			return 0, invalid("field %q of kind %q is beyond 64 bits", name, e.Kind())
		}
	}
	sum := old + n
	if n != 0 && (sum > old) != (n > 0) || f.Class == template.Uint && sum < 0 {
		return 0, invalid("field %q of kind %q: %d and %d make a number that it cannot hold", name, e.Kind(), old, n)
	}
	return sum, nil
}

// modify reads an entry and replaces its row by what edit makes of it, until it was not changed in between. Under a
// transaction it claims the entry first, so that no other transaction is about to do the same.
func modify(ctx context.Context, sp Space, q Query, edit edit) error {
	q.Claim = !q.Txn.IsZero()
	pauses := retryPauses
	for began := time.Now(); ; {
		found, err := sp.Read(ctx, q)
		if err != nil {
			return err
		}
		e := &found[0]
		row, schema, err := edit(e)
		if err != nil {
			return err
		}
		_, err = sp.Update(ctx, q.Txn, Change{ID: e.ID, Version: e.Version, Kind: e.Kind(), Schema: schema, Row: row})
		switch {
		case errors.Is(err, ErrNoMatch): // taken meanwhile
		case errors.Is(err, ErrVersionConflict):
		case errors.Is(err, ErrLocked) && !q.NoWait && (q.Wait == 0 || time.Since(began) < q.Wait):
		default:
			return err
		}
		if err := pauses.Wait(ctx); err != nil {
			return err
		}
	}
}

// retryPauses are the pauses between attempts of a call that conflicts with others. If another call was faster, there
// is progress; if another holds a lock, there is no need to hurry.
var retryPauses = backoff.Backoff{Min: 50 * time.Microsecond, Max: 20 * time.Millisecond, AtOnce: true}
