package spacetest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func hiddenCases() cases {
	return cases{
		{"a bulk read and an iteration tell what locks hide from them", hiddenTold},                // semantics 8.8
		{"what others have only read, or never committed, is not hidden", hiddenVisible},           // semantics 8.8
		{"what is hidden is a match by what was committed", hiddenMatches},                         // semantics 8.8
		{"an iteration over many entries counts each that is hidden once", hiddenMany},             // semantics 8.8
		{"a call that tells what is hidden does not wait, and others do not tell", hiddenRefusals}, // semantics 8.8
	}
}

// bulkOption is an option of both bulk reads and iterations.
type bulkOption interface {
	space.ReadAllOption
	space.ContentsOption
}

// hiddenFrom returns how many matches are hidden from a bulk read, which the contents must confirm, and that others are
// found.
func hiddenFrom[T any](k *kit, template T, found int, opts ...bulkOption) int {
	k.Helper()
	n, m := -2, -2
	got, err := space.ReadAll(k.ctx, k.sp, template, 1000, append(as[space.ReadAllOption](opts), space.Hidden(&n))...)
	if found > 0 || !errors.Is(err, space.ErrNoMatch) {
		k.ok(err)
	}
	require.Len(k, got, found)
	require.Len(k, collect(k, template, append(as[space.ContentsOption](opts), space.Hidden(&m))...), found)
	require.Equal(k, n, m)
	return n
}

func hiddenTold(k *kit) {
	require.Zero(k, hiddenFrom(k, simple{}, 0))
	ls := writeAll(k, e1, e2, e3)
	require.Zero(k, hiddenFrom(k, simple{}, 3))
	a, b := begin(k), begin(k)
	take(k, e1, space.In(a))
	require.Equal(k, 1, hiddenFrom(k, simple{}, 2))
	require.Equal(k, 1, hiddenFrom(k, e1, 0))
	require.Zero(k, hiddenFrom(k, e2, 1))
	replace(k, ls[1].ID(), 0, simple{"B", 7}, space.In(b))
	require.Equal(k, 2, hiddenFrom(k, simple{}, 1))
	require.Equal(k, 1, hiddenFrom(k, simple{}, 1, space.In(a)), "what it has taken itself is gone")
	require.Equal(k, 1, hiddenFrom(k, simple{}, 2, space.In(b)), "and what it has changed is as it is now")
	commit(k, a)
	require.Equal(k, 1, hiddenFrom(k, simple{}, 1))
	abort(k, b)
	require.Zero(k, hiddenFrom(k, simple{}, 2))

	t := begin(k)
	take(k, e2, space.In(t))
	for _, id := range numbers(ls) {
		q := k.match()
		n := -2
		q.ID, q.Hidden, q.NoWait = id, &n, true
		_, err := k.sp.Read(k.ctx, q)
		require.Equal(k, id != ls[2].ID(), errors.Is(err, space.ErrNoMatch))
		require.Equal(k, id == ls[1].ID(), n == 1, "the one that is asked for by its identity")
		for range k.sp.Contents(k.ctx, space.Query{Templates: q.Templates, ID: id, Hidden: &n}) {
			require.Equal(k, ls[2].ID(), id)
		}
		require.Equal(k, id == ls[1].ID(), n == 1)
	}
}

func hiddenVisible(k *kit) {
	writeAll(k, e1, e2)
	reader, writer := begin(k), begin(k)
	read(k, e1, space.In(reader))
	write(k, e3, space.In(writer))
	write(k, e3, space.Delay(long))
	require.Zero(k, hiddenFrom(k, simple{}, 2))
	write(k, simple{"x", 1}, space.For(short))
	t := begin(k)
	take(k, simple{Name: "x"}, space.In(t))
	for n := -2; n != 0; { // until it has expired
		_, err := space.ReadAll(k.ctx, k.sp, simple{}, 1000, space.Hidden(&n))
		k.ok(err)
	}
	require.Zero(k, hiddenFrom(k, simple{}, 2))
}

func hiddenMatches(k *kit) {
	id := write(k, e1).ID()
	write(k, aVan)
	t := begin(k)
	replace(k, id, 0, simple{"new", 9}, space.In(t))
	take(k, van{}, space.In(t))
	require.Equal(k, 1, hiddenFrom(k, e1, 0), "what it was")
	require.Zero(k, hiddenFrom(k, simple{Name: "new"}, 0), "what it will be, perhaps")
	require.Equal(k, 1, hiddenFrom(k, vehicle{}, 0), "of a kind that embeds it")
	require.Equal(k, 1, hiddenFrom(k, simple{}, 0, space.Where("id", space.Le(1))))
	require.Zero(k, hiddenFrom(k, simple{}, 0, space.Where("id", space.Gt(1))))
	require.Equal(k, 2, hiddenFrom(k, e1, 0, space.Or(van{}), space.Or(simple{})))
	take(k, simple{Name: "new"}, space.In(t))
	require.Equal(k, 1, hiddenFrom(k, e1, 0), "changed, and then taken")
}

func hiddenMany(k *kit) {
	const n = 700 // several pages
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	writeAll(k, vs...)
	t := begin(k)
	for i := 0; i < n; i += 7 {
		take(k, simple{"A", i + 1}, space.In(t))
	}
	require.Equal(k, n/7, hiddenFrom(k, simple{}, n-n/7))
	hidden := 0
	_, err := space.ReadAll(k.ctx, k.sp, simple{}, 3, space.Hidden(&hidden))
	k.ok(err)
	require.Equal(k, n/7, hidden, "wherever they are")
}

func hiddenRefusals(k *kit) {
	n := 0
	_, err := space.ReadAll(k.ctx, k.sp, simple{}, 1, space.Hidden(&n))
	k.fails(space.ErrNoMatch, err)
	write(k, e1)
	for name, call := range map[string]func() error{
		"wait": func() error {
			_, err := space.ReadAll(k.ctx, k.sp, simple{}, 1, space.Hidden(&n), space.Wait(long))
			return err
		},
		"nil": func() error { _, err := space.ReadAll(k.ctx, k.sp, simple{}, 1, space.Hidden(nil)); return err },
		"if exists": func() error {
			q := k.match()
			q.Hidden, q.IfExists = &n, true
			_, err := k.sp.Read(k.ctx, q)
			return err
		},
	} {
		require.ErrorIs(k, call(), space.ErrInvalidArgument, name)
	}
	require.Equal(k, e1, take(k, simple{}))
}
