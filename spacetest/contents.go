package spacetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func contentsCases() cases {
	return cases{
		{"every match is yielded once", contentsOnce}, // semantics 8.3
		{"every template yields what it matches", contentsMatrix},
		{"contents of a kind include those that embed it", contentsSubs}, // semantics 1.3
		{"an empty space has empty contents", contentsEmpty},
		{"thousands of entries stream in full", contentsMany}, // semantics 8.3
		{"an iteration may be left early, and begun again", contentsBreak},
		{"a bound ends the iteration", contentsMax},
		{"what was there all the time is yielded, whatever comes and goes", contentsConcurrent}, // semantics 8.3
		{"the caller may take what it is given", contentsTakeMeanwhile},
		{"what is written meanwhile does not prolong it", contentsWriteMeanwhile}, // semantics 8.3
		{"iterating removes nothing and hides nothing", contentsKeeps},
		{"an iteration whose context ends says so", contentsCancelled}, // semantics 8.3
		{"options of other calls are refused", contentsInvalid},
		{"counts are those of visible matches", contentsCount}, // semantics 8.4
	}
}

// collect returns the contents of a template.
func collect[T any](k *kit, template T, opts ...space.ContentsOption) []T {
	k.Helper()
	var all []T
	for v, err := range space.Contents(k.ctx, k.sp, template, opts...) {
		k.ok(err)
		all = append(all, v)
	}
	return all
}

func contentsOnce(k *kit) {
	population(k)
	require.ElementsMatch(k, []simple{e1, e2, e3, e1, e2, e3}, collect(k, simple{}))
	seen := map[space.LeaseID]bool{}
	for e, err := range k.sp.Contents(k.ctx, k.match()) {
		k.ok(err)
		require.False(k, seen[e.ID])
		seen[e.ID] = true
	}
	require.Len(k, seen, 6)
}

func contentsMatrix(k *kit) {
	population(k)
	for _, s := range shapes {
		n := 0
		for e, err := range k.sp.Contents(k.ctx, s.query(k)) {
			k.ok(err)
			require.Contains(k, s.matches, decode(k, []space.Entry{e})[0], s.name)
			n++
		}
		require.Equal(k, 2*len(s.matches), n, s.name)
	}
	require.Len(k, collect(k, e1, space.Or(e2)), 4)
	require.Len(k, collect(k, simple{}, space.Where("id", space.Gt(1))), 4)
}

func contentsSubs(k *kit) {
	fleet(k)
	require.Len(k, collect(k, vehicle{}), 4)
	require.Equal(k, []van{aVan}, collect(k, van{}))
	require.ElementsMatch(k, []car{aCar, aVan.car}, collect(k, car{}))
}

func contentsEmpty(k *kit) {
	require.Empty(k, collect(k, simple{}))
	write(k, e1)
	require.Empty(k, collect(k, e2))
	take(k, e1)
	require.Empty(k, collect(k, simple{}))
}

func contentsMany(k *kit) {
	const n = 3000
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{fmt.Sprint(i % 3), i + 1}
	}
	writeAll(k, vs...)
	require.ElementsMatch(k, vs, collect(k, simple{}))
	require.Len(k, collect(k, simple{Name: "1"}), n/3)
}

func contentsBreak(k *kit) {
	population(k)
	all := space.Contents(k.ctx, k.sp, simple{})
	for range 3 {
		for v, err := range all {
			k.ok(err)
			require.Contains(k, []simple{e1, e2, e3}, v)
			break
		}
	}
	n := 0
	for _, err := range all {
		k.ok(err)
		n++
	}
	require.Equal(k, 6, n)
}

func contentsMax(k *kit) {
	population(k)
	require.Len(k, collect(k, simple{}, space.Max(4)), 4)
	require.Len(k, collect(k, simple{}, space.Max(40)), 6)
}

func contentsConcurrent(k *kit) {
	const n = 600
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"stays", i + 1}
	}
	writeAll(k, vs...)
	ctx, stop := context.WithCancel(k.ctx)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for ctx.Err() == nil { // what comes and goes
				_, _ = space.Write(ctx, k.sp, simple{"goes", i + 1})
				_, _ = space.Take(ctx, k.sp, simple{Name: "goes"}, space.NoWait())
			}
		})
	}
	for range 5 {
		seen := map[int]int{}
		for v, err := range space.Contents(k.ctx, k.sp, simple{}) {
			k.ok(err)
			if v.Name == "stays" {
				seen[v.ID]++
			}
		}
		require.Len(k, seen, n)
		for id, times := range seen {
			require.Equal(k, 1, times, id)
		}
	}
	stop()
	wg.Wait()
}

func contentsTakeMeanwhile(k *kit) {
	const n = 700
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	writeAll(k, vs...)
	yielded := 0
	for v, err := range space.Contents(k.ctx, k.sp, simple{}) {
		k.ok(err)
		require.Equal(k, v, take(k, v))
		yielded++
	}
	require.Equal(k, n, yielded)
	require.Zero(k, k.total())
}

func contentsWriteMeanwhile(k *kit) {
	k.needOnePartition()
	const n = 300
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	writeAll(k, vs...)
	yielded := 0
	for v, err := range space.Contents(k.ctx, k.sp, simple{}) {
		k.ok(err)
		require.LessOrEqual(k, v.ID, n, "it was not there when the iteration began")
		write(k, simple{"A", v.ID + n})
		yielded++
	}
	require.Equal(k, n, yielded)
	require.Equal(k, 2*n, k.total())
}

func contentsKeeps(k *kit) {
	population(k)
	for v, err := range space.Contents(k.ctx, k.sp, simple{}) {
		k.ok(err)
		require.Equal(k, v, read(k, v))
	}
	require.Equal(k, []simple{e1, e2, e3, e1, e2, e3}, drain(k, simple{}))
}

func contentsCancelled(k *kit) {
	const n = 4000
	vs := make([]simple, n)
	writeAll(k, vs...)
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	yielded := 0
	var last error
	for _, err := range space.Contents(ctx, k.sp, simple{}) {
		require.NoError(k, last, "the error is the last thing yielded")
		if last = err; err == nil {
			yielded++
		}
		cancel()
	}
	if yielded < n { // what had arrived before the cancel may still be yielded
		k.fails(context.Canceled, last)
	}
	for _, err := range space.Contents(ctx, k.sp, simple{}) {
		k.fails(context.Canceled, err)
	}
}

func contentsInvalid(k *kit) {
	for _, o := range []space.ContentsOption{space.Max(0), space.Where("name", space.Eq(1))} {
		failed := 0
		for _, err := range space.Contents(k.ctx, k.sp, simple{}, o) {
			k.fails(space.ErrInvalidArgument, err)
			failed++
		}
		require.Equal(k, 1, failed)
	}
	for _, err := range k.sp.Contents(k.ctx, space.Query{}) {
		k.fails(space.ErrInvalidArgument, err)
	}
}

func contentsCount(k *kit) {
	require.Zero(k, k.total())
	population(k)
	l := write(k, e1, space.For(long))
	require.Equal(k, 7, k.total())
	k.ok(l.Cancel(k.ctx))
	take(k, e2)
	require.Equal(k, 5, count(k, simple{}))
	require.Equal(k, 4, count(k, simple{Name: "A"}))
	require.Zero(k, count(k, every{}))
}
