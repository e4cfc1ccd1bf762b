package space

import (
	"context"
	"errors"
	"reflect"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
)

// Read returns a copy of the oldest entry that matches template, and waits for one if there is none. The fields of
// template that are not zero are those that must be equal; Where and Or say more. It waits until ctx ends, unless Wait
// or NoWait say less, and then returns ErrNoMatch. Held finds entries that others have taken, without In and a
// wait.
//
// A template also matches the entries of kinds that embed its own; their part of T is returned. An entry that T cannot
// hold is returned as an *UnusableEntryError. If ctx ends Read returns its error; but an entry that was found at that
// moment is returned.
func Read[T any](ctx context.Context, sp Space, template T, opts ...ReadOption) (T, error) {
	return one(ctx, sp, &template, verb{}, opts)
}

// Take is Read that removes what it returns, for good: at most once. If the program or its machine dies before it has
// done its work with the entry, the entry is lost. Where that matters take under a transaction (TakeTxn, or In): the
// entry is back in its place unless the transaction commits. Package work does so for jobs.
//
// No two takes ever return the same entry. When Take returns an error other than ErrOutcomeUnknown and
// *UnusableEntryError it has removed none; after ErrOutcomeUnknown the function Outcome tells whether, and what.
func Take[T any](ctx context.Context, sp Space, template T, opts ...TakeOption) (T, error) {
	return one(ctx, sp, &template, verb{take: true}, opts)
}

// ReadIfExists is Read that does not wait for an entry to be written. It only waits while every match is locked by
// other transactions, and returns ErrNoMatch as soon as there is none.
func ReadIfExists[T any](ctx context.Context, sp Space, template T, opts ...ReadOption) (T, error) {
	return one(ctx, sp, &template, verb{ifExists: true}, opts)
}

// TakeIfExists is Take that does not wait for an entry to be written, as ReadIfExists.
func TakeIfExists[T any](ctx context.Context, sp Space, template T, opts ...TakeOption) (T, error) {
	return one(ctx, sp, &template, verb{take: true, ifExists: true}, opts)
}

// ReadAll returns copies of up to max matching entries, the oldest first. It waits as Read does while there is none,
// but never for more than one. It returns ErrInvalidArgument unless max is positive.
//
// One read returns 4,096 entries at most, and ends with the one with which their fields reach 4 MiB: if max is larger,
// and so many have come, they are returned along with ErrTooLarge, which says that there may be more; Contents yields
// all. Entries that T cannot hold are left out and reported by an error, which joins an *UnusableEntryError for each;
// the others are returned along with it.
func ReadAll[T any](ctx context.Context, sp Space, template T, max int, opts ...ReadAllOption) ([]T, error) {
	return many(ctx, sp, &template, verb{}, max, opts, plain[T])
}

// TakeAll is ReadAll that removes what it returns, and what it reports as unusable: for good, like Take, unless under a
// transaction (In). It has no limit but max: each 4,096 entries, or 4 MiB, are a take of their own. If one of them but
// the first fails, what was taken is returned along with its error: so does ErrTooLarge, under a transaction that can
// hold no more (see Begin).
func TakeAll[T any](ctx context.Context, sp Space, template T, max int, opts ...TakeOption) ([]T, error) {
	return many(ctx, sp, &template, verb{take: true}, max, opts, plain[T])
}

// Count returns how many visible entries match template. It never waits.
func Count[T any](ctx context.Context, sp Space, template T, opts ...CountOption) (int, error) {
	_, q, err := query(ctx, sp, &template, opts)
	if err != nil {
		return 0, err
	}
	return sp.Count(ctx, q)
}

// verb distinguishes the calls that look for entries.
type verb struct {
	take     bool
	ifExists bool
}

// do makes the call.
func (v verb) do(ctx context.Context, sp Space, q Query) ([]Entry, error) {
	q.IfExists = v.ifExists
	if v.take {
		return sp.Take(ctx, q)
	}
	return sp.Read(ctx, q)
}

// query compiles template and opts.
func query[T any, O option](ctx context.Context, sp Space, template *T, opts []O) (*codec.Codec, Query, error) {
	if len(opts) == 0 {
		known, err := sp.Codecs().Of(reflect.TypeFor[T]())
		if err != nil {
			return nil, Query{}, err
		}
		q, err := byExample(known, template)
		return known, q, err
	}
	known, c, err := begin[T](sp, opts)
	if err != nil {
		return nil, Query{}, err
	}
	defer c.free()
	q, err := c.query(ctx, sp, known, template)
	return known, q, err
}

// byExample returns the query for v, a pointer to a value of the codec's type, which waits until the context ends.
func byExample(known *codec.Codec, v any) (Query, error) {
	conds, err := known.Conds(v)
	if err != nil {
		return Query{}, err
	}
	s := known.Own()
	own := &single{template: template.Template{Kind: s.Kind, Conds: conds, Fields: s.Fields}}
	own.list[0] = &own.template
	return Query{Templates: own.list[:]}, nil
}

// one makes the call and returns the entry it finds in the memory of template, which is no longer used.
func one[T any, O option](ctx context.Context, sp Space, template *T, v verb, opts []O) (T, error) {
	var zero T
	known, q, err := query(ctx, sp, template, opts)
	if err != nil {
		return zero, err
	}
	*template = zero
	err = first(ctx, sp, known, q, v, template)
	return *template, err
}

// first makes the call and sets found to the one entry it finds.
func first[T any](ctx context.Context, sp Space, known *codec.Codec, q Query, v verb, found *T) error {
	entries, err := v.do(ctx, sp, q)
	if err != nil {
		return err
	}
	return decode(known, &entries[0], found)
}

// plain is how a call returns what it finds as values alone.
func plain[T any](v *T, known *codec.Codec, e *Entry) error { return decode(known, e, v) }

// many makes the call and returns what it finds, each entry set by set.
func many[T, R any, O option](ctx context.Context, sp Space, template *T, v verb, max int, opts []O,
	set func(*R, *codec.Codec, *Entry) error,
) ([]R, error) {
	if max <= 0 {
		return nil, invalid("max %d is not positive", max)
	}
	known, q, err := query(ctx, sp, template, opts)
	if err != nil {
		return nil, err
	}
	q.Max = max
	entries, err := v.do(ctx, sp, q) // entries with an error are those found before it
	if len(entries) == 0 {
		return nil, err
	}
	found := make([]R, len(entries))
	n := 0
	for i := range entries {
		if e := set(&found[n], known, &entries[i]); e != nil {
			err = errors.Join(err, e)
			continue
		}
		n++
	}
	return found[:n], err
}
