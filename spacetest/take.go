package spacetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func takeCases() cases {
	return cases{
		{"what is taken is gone", takeRemoves},                                             // semantics 2.1
		{"every template takes as many as it matches, oldest first", takeMatrix},           // semantics 3.2
		{"a match is taken at once, whatever the wait", takeWithWait},                      // semantics 4.1
		{"no match ends the call, but not before its wait, and removes nothing", takeMiss}, // semantics 4.1
		{"no match ends IfExists at once, whatever the wait", takeIfExistsMiss},            // semantics 4.1
		{"taking one leaves the others", takeOne},                                          // semantics 2.1
		{"a space can be drained", takeDrain},                                              // semantics 2.1
		{"an empty space has nothing to take", takeEmpty},                                  // semantics 4.1
		{"what is taken by one is never taken by another", takeConcurrently},               // semantics 3.1
		{"an entry that the type cannot hold is removed and returned raw", takeUnusable},   // semantics 1.7
		{"a take by supertype of an unusable entry", takeUnusableAll},                      // semantics 1.7
	}
}

func takeRemoves(k *kit) {
	for _, v := range verbs[2:] {
		writeAll(k, e1, e2, e3)
		got, err := find[simple](v)(k.ctx, k.sp, e1)
		k.ok(err)
		require.Equal(k, e1, got)
		absent(k, e1)
		require.Equal(k, []simple{e2, e3}, drain(k, simple{}))
	}
}

func takeMatrix(k *kit) {
	for _, s := range shapes {
		for _, v := range verbs[2:] {
			for _, most := range []int{1, 2, 100} {
				population(k)
				q := s.query(k)
				q.Max = most
				want := slices.Concat(s.matches, s.matches)
				for len(want) > 0 {
					got, err := k.find(v, q)
					k.ok(err)
					n := min(most, len(want))
					require.Equal(k, want[:n], decode(k, got), s.name)
					want = want[n:]
					left, err := k.sp.Count(k.ctx, q)
					k.ok(err)
					require.Equal(k, len(want), left, s.name)
				}
				_, err := k.find(v, q)
				k.fails(space.ErrNoMatch, err)
				require.Len(k, drain(k, simple{}), 6-2*len(s.matches), s.name)
			}
		}
	}
}

func takeWithWait(k *kit) {
	for _, v := range verbs[2:] {
		for _, opts := range [][]space.TakeOption{nil, {space.Wait(brief)}, {space.Wait(long)}, {space.NoWait()}} {
			write(k, e1)
			got, err := find[simple](v)(k.ctx, k.sp, simple{Name: "A"}, opts...)
			k.ok(err)
			require.Equal(k, e1, got)
		}
	}
	absent(k, simple{})
}

func takeMiss(k *kit) {
	writeAll(k, e1, e2, e3)
	for _, s := range shapes {
		if len(s.matches) > 0 {
			continue
		}
		began := time.Now()
		_, err := space.Take(k.ctx, k.sp, s.template[0], space.Wait(brief))
		require.ErrorIs(k, err, space.ErrNoMatch, s.name)
		require.GreaterOrEqual(k, time.Since(began), brief, s.name)
	}
	require.Equal(k, []simple{e1, e2, e3}, drain(k, simple{}))
}

func takeIfExistsMiss(k *kit) {
	_, err := space.TakeIfExists(k.ctx, k.sp, e1)
	k.fails(space.ErrNoMatch, err)
	_, err = space.TakeIfExists(k.ctx, k.sp, e1, space.Wait(long))
	k.fails(space.ErrNoMatch, err)
	write(k, e1) // no call waits for it
	require.Equal(k, e1, take(k, e1))
}

func takeOne(k *kit) {
	const n = 20
	for i := range n {
		write(k, simple{"A", i + 1})
	}
	take(k, simple{ID: 7})
	for i := range n {
		if i+1 == 7 {
			absent(k, simple{ID: 7})
			continue
		}
		require.Equal(k, simple{"A", i + 1}, read(k, simple{"A", i + 1}))
	}
}

func takeDrain(k *kit) {
	write(k, sample())
	population(k)
	q := k.match()
	for n := 7; n > 0; n-- {
		_, err := k.sp.Take(k.ctx, q)
		k.ok(err)
	}
	_, err := k.sp.Take(k.ctx, q)
	k.fails(space.ErrNoMatch, err)
	for range k.sp.Contents(k.ctx, q) {
		k.Fatal("a drained space has contents")
	}
}

func takeEmpty(k *kit) {
	q := k.match()
	for _, v := range verbs {
		_, err := k.find(v, q)
		k.fails(space.ErrNoMatch, err)
	}
	q.NoWait, q.Wait = false, brief
	_, err := k.sp.Take(k.ctx, q)
	k.fails(space.ErrNoMatch, err)
	require.Zero(k, k.total())
}

func takeConcurrently(k *kit) {
	const n, takers = 400, 8
	taken := make([][]simple, takers)
	var wg sync.WaitGroup
	for i := range takers {
		wg.Go(func() {
			for {
				v, err := space.Take(k.ctx, k.sp, simple{Name: "A"})
				if err != nil || v.ID == n+1 { // the mark that all are taken
					return
				}
				taken[i] = append(taken[i], v)
			}
		})
	}
	var want []simple
	for i := range n {
		want = append(want, simple{"A", i + 1})
		write(k, want[i])
	}
	for range takers {
		write(k, simple{"A", n + 1})
	}
	wg.Wait()
	require.ElementsMatch(k, want, slices.Concat(taken...))
	absent(k, simple{})
}

// wide and narrow are the same kind, but what the one can hold is too much for the other.
type wide struct{ ID int }

type narrow struct{ ID int8 }

func (wide) Kind() string   { return "width" }
func (narrow) Kind() string { return "width" }

func takeUnusable(k *kit) {
	for _, v := range verbs {
		write(k, wide{300})
		_, err := find[narrow](v)(k.ctx, k.sp, narrow{})
		var unusable *space.UnusableEntryError
		require.ErrorAs(k, err, &unusable)
		require.Equal(k, map[string]any{"id": int64(300)}, unusable.Fields)
		if v.take {
			absent(k, wide{})
			continue
		}
		require.Equal(k, wide{300}, take(k, wide{}))
	}
	write(k, wide{30})
	require.Equal(k, narrow{30}, take(k, narrow{}))
}

func takeUnusableAll(k *kit) {
	k.needOnePartition()
	writeAll(k, wide{1}, wide{300}, wide{2})
	got, err := space.TakeAll(k.ctx, k.sp, narrow{}, 10)
	var unusable *space.UnusableEntryError
	require.True(k, errors.As(err, &unusable), "%v", err)
	require.Equal(k, []narrow{{1}, {2}}, got)
	absent(k, wide{})

	write(k, wide{300})
	var failed, yielded int
	for _, err := range space.Contents(context.WithoutCancel(k.ctx), k.sp, narrow{}) {
		yielded++
		if errors.As(err, &unusable) {
			failed++
		}
	}
	require.Equal(k, []int{1, 1}, []int{yielded, failed})
}
