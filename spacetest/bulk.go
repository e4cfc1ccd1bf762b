package spacetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

func bulkCases() cases {
	return cases{
		{"a list is written in order, with a lease each", bulkWrite},                 // semantics 8.1
		{"equal elements are entries of their own", bulkDuplicates},                  // semantics 1.1
		{"an empty list is refused", bulkEmpty},                                      // semantics 8.1
		{"an element that cannot be stored leaves nothing stored", bulkAllOrNothing}, // semantics 8.1
		{"lists of several kinds are one write", bulkKinds},
		{"leases of one list may differ", bulkLeases},
		{"a list beyond the limit is refused as a whole", bulkTooLarge},                // semantics 8.1
		{"a bulk take returns what several templates match", bulkTake},                 // semantics 8.2
		{"duplicates are returned as distinct entries", bulkTakeDuplicates},            // semantics 8.2
		{"a bulk call does not wait for more than one", bulkNoWait},                    // semantics 8.2
		{"a bulk call never returns more than asked for", bulkMax},                     // semantics 8.2
		{"a bulk call without a match waits, and then returns none", bulkNone},         // semantics 8.2
		{"a waiting bulk call returns as soon as there is one", bulkWaits},             // semantics 8.2
		{"a waiting bulk read takes nothing", bulkReadWaits},                           // semantics 8.2
		{"arguments that make no sense are refused and nothing is taken", bulkInvalid}, // semantics 8.2
		{"a loop of bulk takes drains the space", bulkDrain},                           // semantics 8.2
		{"concurrent bulk takes share the entries", bulkConcurrent},                    // semantics 3.1
		{"a list is visible as a whole", bulkAtomic},                                   // semantics 8.1
	}
}

func bulkWrite(k *kit) {
	leases, err := space.WriteAll(k.ctx, k.sp, []simple{e1, e2, e3}, space.For(long))
	k.ok(err)
	require.Len(k, leases, 3)
	for i, want := range []simple{e1, e2, e3} {
		require.LessOrEqual(k, leases[i].Granted(), long)
		entries, err := k.sp.Read(k.ctx, k.match(want))
		k.ok(err)
		require.Equal(k, leases[i].ID(), entries[0].ID)
	}
	require.Equal(k, []simple{e1, e2, e3}, drain(k, simple{}))
}

func bulkDuplicates(k *kit) {
	leases := writeAll(k, &e1, &e1, &e2)
	require.Len(k, slices.Compact(slices.Sorted(slices.Values(numbers(leases)))), 3)
	require.Equal(k, []simple{e1, e1, e2}, drain(k, simple{}))
}

func bulkEmpty(k *kit) {
	_, err := space.WriteAll(k.ctx, k.sp, []simple{})
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.WriteAll[simple](k.ctx, k.sp, nil)
	k.fails(space.ErrInvalidArgument, err)
	_, err = k.sp.Write(k.ctx, txn.ID{}, nil)
	k.fails(space.ErrInvalidArgument, err)
}

// drafts returns values as entries for the untyped Write, with rows of their own.
func (k *kit) drafts(vs ...any) []space.Draft {
	k.Helper()
	ds := make([]space.Draft, len(vs))
	for i, v := range vs {
		codec, err := k.sp.Codecs().For(k.ctx, k.sp, reflect.TypeOf(v))
		k.ok(err)
		row, err := codec.AppendRow(nil, v)
		k.ok(err)
		ds[i] = space.Draft{Kind: codec.Schema().Kind, Row: row, Lease: space.Forever}
	}
	return ds
}

func bulkAllOrNothing(k *kit) {
	for name, spoil := range map[string]func(*space.Draft){
		"negative lease": func(d *space.Draft) { d.Lease = -1 },
		"unknown kind":   func(d *space.Draft) { d.Kind = "never registered" },
		"too large":      func(d *space.Draft) { d.Row = make([]byte, tooMuch) },
	} {
		for i := range 3 {
			ds := k.drafts(e1, e2, e3)
			spoil(&ds[i])
			_, err := k.sp.Write(k.ctx, txn.ID{}, ds)
			require.Error(k, err, name)
			require.NotErrorIs(k, err, space.ErrOutcomeUnknown, name)
			require.Zero(k, k.total(), name)
		}
	}
}

func bulkKinds(k *kit) {
	grants, err := k.sp.Write(k.ctx, txn.ID{}, k.drafts(e1, sample(), aVan, e2))
	k.ok(err)
	require.Len(k, grants, 4)
	require.Equal(k, []simple{e1, e2}, drain(k, simple{}))
	require.Equal(k, sample(), take(k, every{}))
	require.Equal(k, aVan, take(k, van{}))
	require.Zero(k, k.total())
}

func bulkLeases(k *kit) {
	ds := k.drafts(e1, e2, e3)
	ds[0].Lease, ds[1].Lease = 0, long
	grants, err := k.sp.Write(k.ctx, txn.ID{}, ds)
	k.ok(err)
	require.Zero(k, grants[0].Granted)
	require.Equal(k, long, grants[1].Granted)
	require.Equal(k, space.Forever, grants[2].Granted)
	require.Equal(k, []simple{e2, e3}, drain(k, simple{}))
}

func bulkTooLarge(k *kit) {
	const size = 512 << 10 // of one, which is not too much
	vs := make([]simple, 2*tooMuch/size)
	for i := range vs {
		vs[i] = simple{strings.Repeat("x", size), i + 1}
	}
	_, err := space.WriteAll(k.ctx, k.sp, vs)
	k.fails(space.ErrTooLarge, err)
	require.Zero(k, k.total())
	write(k, e1)
}

// takeMany takes up to max entries that match any of the templates; nil is every entry.
func takeMany(k *kit, max int, templates ...any) []simple {
	k.Helper()
	q := k.match(templates...)
	q.Max = max
	entries, err := k.sp.Take(k.ctx, q)
	k.ok(err)
	return decode(k, entries)
}

func bulkTake(k *kit) {
	for _, c := range []struct {
		name      string
		templates []any
		want      []simple
	}{
		{"one template, one match", []any{e1}, []simple{e1}},
		{"two templates, two matches", []any{e2, e1}, []simple{e1, e2}},
		{"one template by name", []any{simple{Name: "A"}}, []simple{e1, e3}},
		{"one template by id", []any{simple{ID: 2}}, []simple{e2, e3}},
		{"two templates that overlap", []any{simple{ID: 2}, e3}, []simple{e2, e3}},
		{"any of the kind", []any{simple{}}, []simple{e1, e2, e3}},
		{"everything", []any{nil}, []simple{e1, e2, e3}},
		{"everything and one more", []any{e3, nil}, []simple{e1, e2, e3}},
		{"a miss and a hit", []any{simple{Name: "Z"}, e3}, []simple{e3}},
	} {
		writeAll(k, e1, e2, e3)
		require.Equal(k, c.want, takeMany(k, 10, c.templates...), c.name)
		require.Len(k, drain(k, simple{}), 3-len(c.want), c.name)
	}
}

func bulkTakeDuplicates(k *kit) {
	ids := numbers(writeAll(k, e1, e1))
	q := k.match(e1)
	q.Max = 5
	entries, err := k.sp.Take(k.ctx, q)
	k.ok(err)
	require.Equal(k, ids, []space.LeaseID{entries[0].ID, entries[1].ID})
}

func bulkNoWait(k *kit) {
	write(k, e1)
	got, err := space.ReadAll(k.ctx, k.sp, simple{}, 10)
	k.ok(err)
	require.Equal(k, []simple{e1}, got)
	got, err = space.TakeAll(k.ctx, k.sp, simple{}, 10, space.Wait(long))
	k.ok(err)
	require.Equal(k, []simple{e1}, got)
}

func bulkMax(k *kit) {
	population(k)
	require.Equal(k, []simple{e1, e2, e3}, readUpTo(k, 3, simple{}))
	got, err := space.TakeAll(k.ctx, k.sp, simple{}, 4)
	k.ok(err)
	require.Equal(k, []simple{e1, e2, e3, e1}, got)
	require.Equal(k, 2, k.total())
}

func bulkNone(k *kit) {
	write(k, e2)
	for name, call := range map[string]func() ([]simple, error){
		"read": func() ([]simple, error) { return space.ReadAll(k.ctx, k.sp, e1, 10, space.Wait(brief)) },
		"take": func() ([]simple, error) { return space.TakeAll(k.ctx, k.sp, e1, 10, space.Wait(brief)) },
	} {
		began := time.Now()
		got, err := call()
		k.fails(space.ErrNoMatch, err)
		require.Empty(k, got, name)
		require.GreaterOrEqual(k, time.Since(began), brief, name)
	}
	require.Equal(k, 1, k.total())
}

func bulkWaits(k *kit) {
	k.needOnePartition()
	taker := start(k, func(ctx context.Context) ([]simple, error) {
		return space.TakeAll(ctx, k.sp, simple{Name: "A"}, 10, space.Wait(long))
	})
	k.parked(1)
	writeAll(k, e2, e1, e2)
	require.Equal(k, []simple{e1}, taker.result(k))
	write(k, e3) // it did not wait for that
	require.Equal(k, []simple{e2, e2, e3}, drain(k, simple{}))
}

func bulkReadWaits(k *kit) {
	reader := start(k, func(ctx context.Context) ([]simple, error) { return space.ReadAll(ctx, k.sp, simple{}, 2) })
	k.parked(1)
	writeAll(k, e1, e2, e3)
	got := reader.result(k)
	require.NotEmpty(k, got)
	require.Equal(k, []simple{e1, e2}[:len(got)], got)
	require.Equal(k, 3, k.total())
}

func bulkInvalid(k *kit) {
	population(k)
	for _, max := range []int{0, -1} {
		_, err := space.TakeAll(k.ctx, k.sp, simple{}, max)
		k.fails(space.ErrInvalidArgument, err)
		_, err = space.ReadAll(k.ctx, k.sp, simple{}, max)
		k.fails(space.ErrInvalidArgument, err)
	}
	_, err := space.TakeAll(k.ctx, k.sp, simple{}, 1, space.Wait(-1))
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.Match(k.ctx, k.sp)
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.Match(k.ctx, k.sp, 7)
	k.fails(space.ErrInvalidArgument, err)
	q := k.match(simple{})
	q.Max = -1
	_, err = k.sp.Take(k.ctx, q)
	k.fails(space.ErrInvalidArgument, err)
	require.Equal(k, 6, k.total())
}

func bulkDrain(k *kit) {
	k.needOnePartition()
	const n = 100
	for i := range n / 4 {
		writeAll(k, simple{"A", 4 * i}, simple{"B", 4*i + 1}, simple{"C", 4*i + 2}, simple{"D", 4*i + 3})
	}
	var all []simple
	for {
		got, err := space.TakeAll(k.ctx, k.sp, simple{}, 25, space.NoWait())
		if errors.Is(err, space.ErrNoMatch) {
			break
		}
		k.ok(err)
		require.NotEmpty(k, got)
		require.LessOrEqual(k, len(got), 25)
		all = append(all, got...)
	}
	require.Len(k, all, n)
	for i, v := range all {
		require.Equal(k, i, v.ID)
	}
}

func bulkConcurrent(k *kit) {
	k.needOnePartition()
	const n, takers = 300, 4
	var calls []*pending[[]simple]
	for range takers {
		calls = append(calls, start(k, func(ctx context.Context) (all []simple, err error) {
			for {
				got, err := space.TakeAll(ctx, k.sp, simple{Name: "A"}, 7)
				if err != nil {
					return nil, err
				}
				for _, v := range got {
					if v.ID == n {
						return all, writeMark(ctx, k.sp, n)
					}
					all = append(all, v)
				}
			}
		}))
	}
	for i := range n {
		write(k, simple{"A", i})
	}
	k.ok(writeMark(k.ctx, k.sp, n))
	var all []simple
	for _, c := range calls {
		all = append(all, c.result(k)...)
	}
	require.Len(k, all, n)
	slices.SortFunc(all, func(a, b simple) int { return a.ID - b.ID })
	for i, v := range all {
		require.Equal(k, i, v.ID)
	}
}

// writeMark writes the entry that ends the takers: each writes it again for the next one.
func writeMark(ctx context.Context, sp space.Space, id int) error {
	_, err := space.Write(ctx, sp, simple{"A", id})
	return err
}

func bulkAtomic(k *kit) {
	writer := start(k, func(ctx context.Context) (int, error) {
		for i := range 50 {
			vs := []simple{{fmt.Sprint(i), 1}, {fmt.Sprint(i), 2}, {fmt.Sprint(i), 3}}
			if _, err := space.WriteAll(ctx, k.sp, vs); err != nil {
				return 0, err
			}
		}
		return 50, nil
	})
	for n := 0; n < 150; {
		n = k.total()
		require.Zero(k, n%3, "%d entries", n)
	}
	writer.result(k)
}
