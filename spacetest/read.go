package spacetest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func readCases() cases {
	return cases{
		{"every template finds what it matches, without waiting", readMatrix},   // semantics 1.2
		{"a match is returned at once, whatever the wait", readWithWait},        // semantics 4.1
		{"no match ends the call, but not before its wait", readMiss},           // semantics 4.1
		{"no match ends IfExists at once, whatever the wait", readIfExistsMiss}, // semantics 4.1
		{"reading never removes", readKeeps},                                    // semantics 2.1
		{"a returned value shares nothing with the entry", readCopies},          // semantics 1.1
		{"a negative wait is refused", readNegativeWait},                        // semantics 4.3
		{"a query without templates is refused", readNoTemplates},               // semantics 1.2
		{"a wait that ends first is no match, a context that ends first is its error", readWhichEnd},
		{"a call whose context has ended changes nothing", readEndedContext},
		{"an entry has its identity and its schema", readEntry},
		{"a nil pointer is the empty template", readNilTemplate},
	}
}

// population writes every entry twice.
func population(k *kit) {
	writeAll(k, e1, e2, e3, e1, e2, e3)
}

func readMatrix(k *kit) {
	population(k)
	for _, s := range shapes {
		for _, v := range verbs[:2] {
			for _, most := range []int{0, 1, 2, 100} {
				q := s.query(k)
				q.Max = most
				got, err := k.find(v, q)
				s.check(k, got, err, most)
			}
		}
		n, err := k.sp.Count(k.ctx, s.query(k))
		k.ok(err)
		require.Equal(k, 2*len(s.matches), n, s.name)
	}
}

// check fails the case unless entries and err answer the shape's query for a space with the population.
func (s shape) check(k *kit, entries []space.Entry, err error, most int) {
	k.Helper()
	if len(s.matches) == 0 {
		require.ErrorIs(k, err, space.ErrNoMatch, s.name)
		require.Empty(k, entries, s.name)
		return
	}
	require.NoError(k, err, s.name)
	all := slices.Concat(s.matches, s.matches)
	require.Equal(k, all[:min(len(all), max(most, 1))], decode(k, entries), s.name)
}

func readWithWait(k *kit) {
	population(k)
	for _, s := range shapes {
		if len(s.matches) == 0 {
			continue
		}
		for _, v := range verbs[:2] {
			for _, wait := range []time.Duration{0, brief, long} { // 0: without end
				q := s.query(k)
				q.NoWait, q.Wait = false, wait
				got, err := k.find(v, q)
				s.check(k, got, err, 1)
			}
		}
	}
}

func readMiss(k *kit) {
	population(k)
	for _, s := range shapes {
		if len(s.matches) > 0 {
			continue
		}
		q := s.query(k)
		q.NoWait, q.Wait = false, brief
		began := time.Now()
		_, err := k.sp.Read(k.ctx, q)
		require.ErrorIs(k, err, space.ErrNoMatch, s.name)
		require.GreaterOrEqual(k, time.Since(began), brief, s.name)
	}
}

func readIfExistsMiss(k *kit) {
	population(k)
	for _, s := range shapes {
		if len(s.matches) > 0 {
			continue
		}
		for _, wait := range []time.Duration{0, long} {
			q := s.query(k)
			q.NoWait, q.Wait, q.IfExists = false, wait, true
			_, err := k.sp.Read(k.ctx, q)
			require.ErrorIs(k, err, space.ErrNoMatch, s.name)
		}
	}
}

func readKeeps(k *kit) {
	population(k)
	for range 3 {
		for _, e := range []simple{e1, e2, e3, {}} {
			read(k, e)
			_, err := space.ReadIfExists(k.ctx, k.sp, e)
			k.ok(err)
			_, err = space.ReadAll(k.ctx, k.sp, e, 10)
			k.ok(err)
		}
	}
	require.Equal(k, []simple{e1, e2, e3, e1, e2, e3}, drain(k, simple{}))
}

func readCopies(k *kit) {
	write(k, sample())
	v := read(k, every{})
	v.Bytes[0], v.Strings[0], v.Map["a"], v.Nested.Tags[0], *v.Pointer = 9, "changed", 9, "changed", 9
	entries, err := k.sp.Read(k.ctx, k.match(every{}))
	k.ok(err)
	clear(entries[0].Row)
	require.Equal(k, sample(), read(k, every{}))
}

func readNegativeWait(k *kit) {
	write(k, e1)
	for _, v := range verbs {
		_, err := find[simple](v)(k.ctx, k.sp, e1, space.Wait(-1))
		k.fails(space.ErrInvalidArgument, err)
		q := k.match(e1)
		q.NoWait, q.Wait = false, -time.Second
		_, err = k.find(v, q)
		k.fails(space.ErrInvalidArgument, err)
	}
	require.Equal(k, 1, k.total())
}

func readNoTemplates(k *kit) {
	write(k, e1)
	for _, v := range verbs {
		_, err := k.find(v, space.Query{NoWait: true})
		k.fails(space.ErrInvalidArgument, err)
	}
	_, err := k.sp.Count(k.ctx, space.Query{})
	k.fails(space.ErrInvalidArgument, err)
	require.Equal(k, 1, k.total())
}

func readWhichEnd(k *kit) {
	for _, v := range []verb{verbs[0], verbs[2]} {
		_, err := find[simple](v)(k.ctx, k.sp, e1, space.Wait(brief))
		k.fails(space.ErrNoMatch, err)

		ctx, cancel := context.WithTimeout(k.ctx, brief)
		_, err = find[simple](v)(ctx, k.sp, e1, space.Wait(long))
		k.fails(context.DeadlineExceeded, err)
		cancel()

		ctx, cancel = context.WithTimeout(k.ctx, brief)
		_, err = find[simple](v)(ctx, k.sp, e1)
		k.fails(context.DeadlineExceeded, err)
		cancel()
	}
}

func readEndedContext(k *kit) {
	write(k, e1)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := space.Take(ctx, k.sp, e1)
	k.fails(context.Canceled, err)
	_, err = space.Read(ctx, k.sp, e1)
	k.fails(context.Canceled, err)
	_, err = space.Count(ctx, k.sp, e1)
	k.fails(context.Canceled, err)
	require.Equal(k, e1, take(k, e1))
}

func readEntry(k *kit) {
	l := write(k, e1)
	entries, err := k.sp.Read(k.ctx, k.match())
	k.ok(err)
	require.Len(k, entries, 1)
	require.Equal(k, l.ID(), entries[0].ID)
	require.Equal(k, k.kindOf(simple{}), entries[0].Schema.Kind)
	require.Equal(k, map[string]any{"name": "A", "id": int64(1)}, entries[0].Fields())
	v, err := space.Decode[simple](entries[0])
	k.ok(err)
	require.Equal(k, e1, v)
}

func readNilTemplate(k *kit) {
	write(k, e1)
	v, err := space.Read[*simple](k.ctx, k.sp, nil)
	k.ok(err)
	require.Equal(k, &e1, v)
}
