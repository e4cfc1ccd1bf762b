package spacetest

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func placeCases() cases {
	return cases{
		{"an aborted take puts the entry back in its old place", lockPlace},    // semantics 3.2
		{"in its old place among kinds that embed each other", lockPlaceKinds}, // semantics 3.2
		{"in its old place in every index and ordering", lockPlaceIndexed},     // semantics 3.2
		{"the order of new entries is that of the commits", lockOrder},         // semantics 3.2
		{"locked entries do not slow others down, but are passed over", lockPassedOver},
	}
}

func lockPlace(k *kit) {
	k.needOnePartition()
	var want []simple
	for i := range 20 {
		want = append(want, simple{fmt.Sprint(i % 3), i + 1})
	}
	writeAll(k, want...)
	t := begin(k)
	for _, i := range []int{0, 7, 19, 8, 3} {
		require.Equal(k, want[i], take(k, simple{ID: i + 1}, space.In(t)))
	}
	write(k, simple{"0", 21})
	require.Len(k, readUpTo(k, 100, simple{}), 16)
	abort(k, t)
	want = append(want, simple{"0", 21})
	require.Equal(k, want, readUpTo(k, 100, simple{}))
	require.Equal(k, want[0], take(k, simple{Name: "0"}))
	require.Equal(k, want[1:], drain(k, simple{}))
}

func lockPlaceKinds(k *kit) {
	k.needOnePartition()
	fleet(k)
	fleet(k)
	q := k.match(vehicle{})
	q.Max = 10
	before, err := k.sp.Read(k.ctx, q)
	k.ok(err)
	t := begin(k)
	take(k, car{}, space.In(t))
	take(k, bike{}, space.In(t))
	take(k, vehicle{}, space.In(t))
	require.Equal(k, 5, k.total())
	abort(k, t)
	after, err := k.sp.Read(k.ctx, q)
	k.ok(err)
	require.Equal(k, identities(before), identities(after))
}

// identities returns those of entries.
func identities(entries []space.Entry) []space.LeaseID {
	ids := make([]space.LeaseID, len(entries))
	for i := range entries {
		ids[i] = entries[i].ID
	}
	return ids
}

// lockPlaceIndexed asks so often without a match that indexes start, amid transactions that are aborted.
func lockPlaceIndexed(k *kit) {
	const n = 600
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{fmt.Sprint(i * 7 % n), i * 11 % 50}
	}
	writeAll(k, vs...)
	for range 3 {
		a, b := begin(k), begin(k)
		for i := range n / 4 {
			take(k, simple{Name: fmt.Sprint(i)}, space.In(a))
			read(k, simple{Name: fmt.Sprint(n/2 + i)}, space.In(b))
		}
		absent(k, simple{Name: "3"})
		require.Equal(k, 3*n/4, k.total())
		for i := range n / 4 {
			_, err := space.Take(k.ctx, k.sp, simple{Name: fmt.Sprint(i)}, space.NoWait())
			k.fails(space.ErrNoMatch, err)
		}
		abort(k, a)
		abort(k, b)
	}
	require.Equal(k, vs, readUpTo(k, n, simple{}))
	byID := slices.Clone(vs)
	slices.SortStableFunc(byID, func(a, b simple) int { return b.ID - a.ID })
	require.Equal(k, byID, readUpTo(k, n, simple{}, space.OrderBy("-id")))
	t := begin(k)
	require.Equal(k, byID[:100], takeUpTo(k, 100, simple{}, space.OrderBy("-id"), space.In(t)))
	require.Equal(k, byID[100:200], readUpTo(k, 100, simple{}, space.OrderBy("-id")))
	abort(k, t)
	require.Equal(k, byID[:100], takeUpTo(k, 100, simple{}, space.OrderBy("-id")))
	for _, v := range byID[100:] {
		require.Equal(k, v, take(k, simple{Name: v.Name}))
	}
}

// takeUpTo takes up to max matches that exist now.
func takeUpTo[T any](k *kit, max int, template T, opts ...space.TakeOption) []T {
	k.Helper()
	vs, err := space.TakeAll(k.ctx, k.sp, template, max, append(opts, space.NoWait())...)
	k.ok(err)
	return vs
}

func lockOrder(k *kit) {
	k.needOnePartition()
	a, b := begin(k), begin(k)
	writeAllIn(k, a, simple{"A", 1}, simple{"A", 2})
	write(k, simple{"B", 3}, space.In(b))
	write(k, simple{"0", 4})
	write(k, simple{"A", 5}, space.In(a))
	commit(k, b)
	write(k, simple{"0", 6})
	commit(k, a)
	write(k, simple{"0", 7})
	want := []simple{{"0", 4}, {"B", 3}, {"0", 6}, {"A", 1}, {"A", 2}, {"A", 5}, {"0", 7}}
	require.Equal(k, want, readUpTo(k, 10, simple{}))
	for _, v := range want {
		require.Equal(k, v, take(k, simple{}))
	}
}

func lockPassedOver(k *kit) {
	const n = 2000
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	writeAll(k, vs...)
	a, b := begin(k), begin(k)
	require.Len(k, takeUpTo(k, n/2, simple{}, space.In(a)), n/2)
	require.Len(k, readUpTo(k, n/2-1, simple{}, space.In(b)), n/2-1)
	require.Equal(k, vs[n-1], take(k, simple{}))
	require.Equal(k, vs[n/2], read(k, simple{}))
	absent(k, simple{}, space.Where("id", space.Gt(n-1)))
	abort(k, a)
	require.Equal(k, vs[0], take(k, simple{}))
}
