package space

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Replace gives the entry with an identity the fields of v, if it has the given version (Entry.Version), or any if that
// is 0, and returns its new version. Fields that T does not have stay as they are, and so do the entry's identity,
// lease and age. For that Replace reads the entry first; if another call changes it in between, and any version will
// do, Replace begins again.
//
// While transactions have the entry locked it returns ErrLocked or, under a transaction (In), waits as a take does. It
// returns ErrNoMatch if there is no such entry, ErrVersionConflict if it has another version, ErrInvalidArgument if it
// is not of T's kind exactly.
func Replace[T any](ctx context.Context, sp Space, id LeaseID, version uint32, v T, opts ...TxnOption) (uint32, error) {
	if id == 0 {
		return 0, invalid("no entry has the identity 0")
	}
	c, err := newCall(sp, opts)
	if err != nil {
		return 0, err
	}
	defer c.free()
	known, err := sp.Codecs().For(ctx, sp, reflect.TypeFor[T]())
	if err != nil {
		return 0, err
	}
	for pauses := retryPauses; ; {
		change, err := replacement(ctx, sp, known, c.under(), id, version, &v)
		if err != nil {
			return 0, err
		}
		now, err := sp.Update(ctx, c.under(), change)
		if !errors.Is(err, ErrVersionConflict) || version != 0 && change.Version == version {
			return now, err
		}
		if err := pauses.Wait(ctx); err != nil {
			return 0, err
		}
	}
}

// noVersion is a version that no entry has.
const noVersion = math.MaxUint32

// replacement returns the change that gives an entry, if it has the given version or that is 0, the fields of v. If the
// entry is not found, it returns a change that fails, with the error that says why: it is gone, or locked.
func replacement(ctx context.Context, sp Space, known *codec.Codec, under txn.ID, id LeaseID, version uint32,
	v any,
) (Change, error) {
	e, err := readToReplace(ctx, sp, under, id)
	if errors.Is(err, ErrNoMatch) {
		row, schema, err := known.Encode(nil, v)
		return Change{ID: id, Version: noVersion, Kind: known.Kind(), Schema: schema, Row: row}, err
	}
	switch {
	case err != nil:
		return Change{}, err
	case e.Kind() != known.Kind():
		return Change{}, invalid("entry %d is of kind %q", id, e.Kind())
	case version != 0 && version != e.Version:
		return Change{}, fmt.Errorf("%w: entry %d has version %d, not %d", ErrVersionConflict, id, e.Version, version)
	}
	row, schema, err := known.Over(ctx, sp, e.Schema, e.Row, v)
	return Change{ID: id, Version: e.Version, Kind: e.Kind(), Schema: schema, Row: row}, err
}

// readToReplace returns the entry. It locks it, and waits for locks, only if the transaction alone can see it, or
// others have it.
func readToReplace(ctx context.Context, sp Space, under txn.ID, id LeaseID) (*Entry, error) {
	q := Query{Templates: []*template.Template{{}}, ID: id, NoWait: true}
	found, err := sp.Read(ctx, q)
	if errors.Is(err, ErrNoMatch) && !under.IsZero() {
		q.Txn, q.NoWait, q.Claim = under, false, true
		found, err = sp.Read(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}
