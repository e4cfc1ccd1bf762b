package space

import (
	"context"
	"iter"

	"github.com/gospaces/gospaces/space/codec"
)

// EntryOf is an Entry with its fields as a Go value.
type EntryOf[T any] struct {
	Value    T
	ID       LeaseID // also the identity of its lease: see Space.Renew and Space.Cancel
	Version  uint32  // for Replace: 1, and one more with every update
	Attempts uint32  // number of failed attempts: put back by Defer, or its holder vanished
	Died     *Death  // how the last attempt ended, if the holder vanished; nil otherwise
	Held     *Holder // its holder, with the option Held; nil otherwise
}

// set sets o to e. After an error the value is zero.
func (o *EntryOf[T]) set(known *codec.Codec, e *Entry) error {
	*o = EntryOf[T]{ID: e.ID, Version: e.Version, Attempts: e.Attempts, Died: e.Died, Held: e.Held}
	return decode(known, e, &o.Value)
}

// ReadEntry is Read that also returns the identity, the version and the other metadata of the entry.
func ReadEntry[T any](ctx context.Context, sp Space, template T, opts ...ReadOption) (EntryOf[T], error) {
	return oneEntry(ctx, sp, &template, verb{}, opts)
}

// TakeEntry is Take that also returns metadata, as ReadEntry does: the number of failed attempts, for example.
func TakeEntry[T any](ctx context.Context, sp Space, template T, opts ...TakeOption) (EntryOf[T], error) {
	return oneEntry(ctx, sp, &template, verb{take: true}, opts)
}

// ReadEntryID is ReadID that also returns metadata, as ReadEntry does: the version for Replace, for example.
func ReadEntryID[T any](ctx context.Context, sp Space, id LeaseID, opts ...IDOption) (EntryOf[T], error) {
	known, q, err := queryID[T](ctx, sp, id, opts)
	if err != nil {
		return EntryOf[T]{}, err
	}
	return firstEntry[T](ctx, sp, known, q, verb{ifExists: true})
}

// ReadEntries is ReadAll that also returns what ReadEntry does, for each entry.
func ReadEntries[T any](
	ctx context.Context, sp Space, template T, max int, opts ...ReadAllOption,
) ([]EntryOf[T], error) {
	return many(ctx, sp, &template, verb{}, max, opts, (*EntryOf[T]).set)
}

// TakeEntries is TakeAll that also returns what ReadEntry does, for each entry.
func TakeEntries[T any](ctx context.Context, sp Space, template T, max int, opts ...TakeOption) ([]EntryOf[T], error) {
	return many(ctx, sp, &template, verb{take: true}, max, opts, (*EntryOf[T]).set)
}

// TakeEntryTxn is TakeTxn that also returns what ReadEntry does.
func TakeEntryTxn[T any](ctx context.Context, sp Space, template T, opts ...TakeTxnOption) (EntryOf[T], *Txn, error) {
	known, q, err := beginning(ctx, sp, &template, opts)
	if err != nil {
		return EntryOf[T]{}, nil, err
	}
	entries, err := sp.Take(ctx, q)
	if err != nil {
		return EntryOf[T]{}, nil, err
	}
	var found EntryOf[T]
	err = found.set(known, &entries[0])
	return found, entries[0].Txn.Through(sp), err
}

// Entries is Contents that also yields what ReadEntry returns, for each entry.
func Entries[T any](ctx context.Context, sp Space, template T, opts ...ContentsOption) iter.Seq2[EntryOf[T], error] {
	return contents(ctx, sp, template, opts, (*EntryOf[T]).set)
}

func oneEntry[T any, O option](ctx context.Context, sp Space, template *T, v verb, opts []O) (EntryOf[T], error) {
	known, q, err := query(ctx, sp, template, opts)
	if err != nil {
		return EntryOf[T]{}, err
	}
	return firstEntry[T](ctx, sp, known, q, v)
}

func firstEntry[T any](ctx context.Context, sp Space, known *codec.Codec, q Query, v verb,
) (found EntryOf[T], err error) {
	entries, err := v.do(ctx, sp, q)
	if err != nil {
		return found, err
	}
	err = found.set(known, &entries[0])
	return found, err
}
