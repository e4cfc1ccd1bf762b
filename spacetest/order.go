package spacetest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

func orderCases() cases {
	return cases{
		{"entries are read and taken in the order in which they were written", orderOldest}, // semantics 3.2
		{"every template sees that order", orderPerTemplate},                                // semantics 3.2
		{"the order spans kinds", orderAcrossKinds},                                         // semantics 3.2
		{"a bulk write keeps the order of its list", orderOfBulk},                           // semantics 3.2
		{"taking from the middle keeps the order of the rest", orderAfterTakes},
		{"renewing a lease does not move an entry", orderAfterRenew},
		{"an explicit ordering wins over age", orderExplicit}, // semantics 3.2
		{"several keys order one after the other", orderByTwo},
		{"equals come in the order in which they were written", orderTies},
		{"equals of several kinds, too", orderTiesAcrossKinds},
		{"null comes first, and last when descending", orderNull},
		{"orderings of every ordered class", orderClasses},
		{"an ordering combines with conditions and bounds", orderWithConditions},
		{"an ordering agrees with sorting, whatever is written and taken", orderRandom},
		{"an ordering within a range agrees with sorting, whatever is written and taken", orderWithinRange}, // semantics 3.2
		{"an ordering says which of several a waiting bulk take gets first", orderOfBulkTake},
		{"orderings that make no sense are refused", orderInvalid},
	}
}

func orderOldest(k *kit) {
	k.needOnePartition()
	var want []simple
	for i := range 50 {
		want = append(want, simple{"A", i*37%50 + 1})
		write(k, want[i])
	}
	require.Equal(k, want[0], read(k, simple{}))
	require.Equal(k, want, readUpTo(k, 100, simple{}))
	require.Equal(k, want, drain(k, simple{}))
}

func orderPerTemplate(k *kit) {
	for i := range 30 {
		write(k, simple{fmt.Sprint(i % 3), i + 1})
	}
	for i := range 3 {
		got := drain(k, simple{Name: fmt.Sprint(i)})
		require.Len(k, got, 10)
		require.True(k, slices.IsSortedFunc(got, func(a, b simple) int { return a.ID - b.ID }))
	}
}

func orderAcrossKinds(k *kit) {
	k.needOnePartition()
	var want []space.LeaseID
	for i := range 10 {
		want = append(want, write(k, simple{"A", i}).ID(), write(k, wide{i}).ID(), write(k, aVan).ID())
	}
	q := k.match()
	for _, id := range want {
		entries, err := k.sp.Take(k.ctx, q)
		k.ok(err)
		require.Equal(k, id, entries[0].ID)
	}
}

func orderOfBulk(k *kit) {
	k.needOnePartition()
	writeAll(k, e3, e1, e2)
	writeAll(k, e2, e1)
	require.Equal(k, []simple{e3, e1, e2, e2, e1}, drain(k, simple{}))
}

func orderAfterTakes(k *kit) {
	k.needOnePartition()
	for i := range 20 {
		write(k, simple{"A", i + 1})
	}
	for i := 20; i > 0; i -= 2 {
		take(k, simple{ID: i})
	}
	write(k, simple{"B", 2})
	got := drain(k, simple{})
	require.Equal(k, simple{"B", 2}, got[10])
	require.True(k, slices.IsSortedFunc(got[:10], func(a, b simple) int { return a.ID - b.ID }))
}

func orderAfterRenew(k *kit) {
	k.needOnePartition()
	l := write(k, e1, space.For(long))
	write(k, e2, space.For(long))
	_, err := l.Renew(k.ctx, 2*long)
	k.ok(err)
	require.Equal(k, []simple{e1, e2}, drain(k, simple{}))
}

func orderExplicit(k *kit) {
	k.needOnePartition()
	for _, id := range []int{5, 3, 9, 1, 7} {
		write(k, simple{"A", id})
	}
	require.Equal(k, 1, read(k, simple{}, space.OrderBy("id")).ID)
	require.Equal(k, 9, read(k, simple{}, space.OrderBy("-id")).ID)
	require.Equal(k, 5, read(k, simple{}).ID)
	require.Equal(k, 9, take(k, simple{}, space.OrderBy("-id")).ID)
	got, err := space.TakeAll(k.ctx, k.sp, simple{}, 10, space.OrderBy("id"))
	k.ok(err)
	require.Equal(k, []simple{{"A", 1}, {"A", 3}, {"A", 5}, {"A", 7}}, got)
}

func orderByTwo(k *kit) {
	writeAll(k, simple{"B", 1}, simple{"A", 2}, simple{"B", 2}, simple{"A", 1})
	require.Equal(k, []simple{{"A", 2}, {"A", 1}, {"B", 2}, {"B", 1}},
		readUpTo(k, 10, simple{}, space.OrderBy("name", "-id")))
	require.Equal(k, []simple{{"A", 1}, {"B", 1}, {"A", 2}, {"B", 2}},
		readUpTo(k, 10, simple{}, space.OrderBy("id", "name")))
	require.Equal(k, []simple{{"B", 1}, {"A", 1}, {"B", 2}, {"A", 2}}, drain(k, simple{}, space.OrderBy("id", "-name")))
}

func orderTies(k *kit) {
	k.needOnePartition()
	for i := range 10 {
		write(k, simple{fmt.Sprint(i), 10 - i%2})
	}
	names := func(vs []simple) (s string) {
		for _, v := range vs {
			s += v.Name
		}
		return s
	}
	require.Equal(k, "1357902468", names(readUpTo(k, 100, simple{}, space.OrderBy("id"))))
	require.Equal(k, "0246813579", names(drain(k, simple{}, space.OrderBy("-id"))))
}

func orderTiesAcrossKinds(k *kit) {
	k.needOnePartition()
	write(k, vehicle{"same", 1})
	write(k, bike{vehicle{"same", 2}, 1})
	write(k, van{car{vehicle{"same", 3}, 1}, 1})
	write(k, car{vehicle{"same", 4}, 1})
	write(k, vehicle{"same", 5})
	write(k, bike{vehicle{"less", 6}, 1})
	wheels := func(vs []vehicle) (n []int) {
		for _, v := range vs {
			n = append(n, v.Wheels)
		}
		return n
	}
	require.Equal(k, []int{6, 1, 2}, wheels(readUpTo(k, 3, vehicle{}, space.OrderBy("plate"))))
	require.Equal(k, []int{1, 2, 3, 4, 5, 6}, wheels(drain(k, vehicle{}, space.OrderBy("-plate"))))
}

func orderNull(k *kit) {
	one, two := 1, 2
	writeAll(k, optional{ID: &two}, optional{}, optional{ID: &one})
	require.Equal(k, []optional{{}, {ID: &one}, {ID: &two}}, readUpTo(k, 10, optional{}, space.OrderBy("id")))
	require.Equal(k, []optional{{ID: &two}, {ID: &one}, {}}, drain(k, optional{}, space.OrderBy("-id")))
}

func orderClasses(k *kit) {
	later := sample()
	later.Bool, later.Int, later.Int8, later.Uint64 = true, later.Int+1, 0, later.Uint64+1
	later.Float32, later.Float64, later.String, later.Bytes = 2, 1e10, "hê", []byte{1}
	later.Time, later.Duration, later.Array = later.Time.Add(1), later.Duration+1, [4]byte{2}
	earlier := sample()
	earlier.Bool = false
	writeAll(k, later, earlier)
	for _, field := range []string{
		"bool", "int", "int8", "uint64", "float32", "float64", "bytes", "time", "duration",
		"array",
	} {
		require.Equal(k, earlier, read(k, every{}, space.OrderBy(field)), field)
		require.Equal(k, later, read(k, every{}, space.OrderBy("-"+field)), field)
	}
	require.Equal(k, later, read(k, every{}, space.OrderBy("-string"))) // ê is U+00EA, é U+00E9: the order of bytes
}

func orderWithConditions(k *kit) {
	for i := range 30 {
		write(k, simple{fmt.Sprint(i % 3), (i*7)%30 + 1})
	}
	got := readUpTo(k, 3, simple{Name: "1"}, space.Where("id", space.Between(5, 25)), space.OrderBy("-id"))
	require.Len(k, got, 3)
	all := readUpTo(k, 100, simple{Name: "1"}, space.Where("id", space.Between(5, 25)), space.OrderBy("-id"))
	require.Equal(k, all[:3], got)
	require.True(k, slices.IsSortedFunc(all, func(a, b simple) int { return b.ID - a.ID }))
}

func orderRandom(k *kit) {
	k.needOnePartition()
	rng := rand.New(rand.NewPCG(1, 2))
	var present []simple
	for range 300 {
		if rng.IntN(3) > 0 {
			v := simple{fmt.Sprint(rng.IntN(4)), rng.IntN(20)}
			write(k, v)
			present = append(present, v)
			continue
		}
		want := slices.Clone(present)
		slices.SortStableFunc(want,
			func(a, b simple) int { return cmp.Or(cmp.Compare(b.ID, a.ID), cmp.Compare(a.Name, b.Name)) })
		require.Equal(k, want[:min(5, len(want))], readAtMost(k, 5, simple{}, space.OrderBy("-id", "name")))
		if len(want) > 0 {
			require.Equal(k, want[0], take(k, simple{}, space.OrderBy("-id", "name")))
			i := slices.Index(present, want[0])
			present = slices.Delete(present, i, i+1)
		}
	}
	require.Equal(k, present, drain(k, simple{}))
}

// ranked is an entry that is looked for by ranges and orderings of other fields.
type ranked struct {
	State string
	Prio  *int
	Due   int
	ID    int
}

func orderWithinRange(k *kit) {
	k.needOnePartition()
	polls := []struct {
		opts    []space.TakeOption
		matches func(v ranked) bool
		compare func(a, b ranked) int // nil: by age
	}{
		{
			[]space.TakeOption{space.Where("due", space.Ge(10)), space.OrderBy("due")},
			func(v ranked) bool { return v.Due >= 10 },
			func(a, b ranked) int { return a.Due - b.Due },
		},
		{
			[]space.TakeOption{space.Where("due", space.Lt(10)), space.OrderBy("-due", "state")},
			func(v ranked) bool { return v.Due < 10 },
			func(a, b ranked) int { return cmp.Or(b.Due-a.Due, cmp.Compare(a.State, b.State)) },
		},
		{
			[]space.TakeOption{space.Where("due", space.Le(7)), space.OrderBy("-prio")},
			func(v ranked) bool { return v.Due <= 7 },
			func(a, b ranked) int { return cmp.Compare(prioOf(b), prioOf(a)) },
		},
		{
			[]space.TakeOption{space.Where("due", space.Gt(2)), space.Where("due", space.Le(12)), space.OrderBy("prio")},
			func(v ranked) bool { return v.Due > 2 && v.Due <= 12 },
			func(a, b ranked) int { return cmp.Compare(prioOf(a), prioOf(b)) },
		},
		{
			[]space.TakeOption{space.Where("state", space.Eq("s1")), space.Where("due", space.Gt(12))},
			func(v ranked) bool { return v.State == "s1" && v.Due > 12 },
			nil,
		},
		{
			[]space.TakeOption{space.Where("state", space.OneOf("s0", "s2")), space.OrderBy("prio", "-due")},
			func(v ranked) bool { return v.State == "s0" || v.State == "s2" },
			func(a, b ranked) int { return cmp.Or(cmp.Compare(prioOf(a), prioOf(b)), b.Due-a.Due) },
		},
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var present []ranked
	for i := range 600 {
		v := ranked{State: fmt.Sprint("s", rng.IntN(3)), Due: rng.IntN(16), ID: i + 1}
		if prio := rng.IntN(5); prio > 0 {
			v.Prio = &prio
		}
		write(k, v)
		present = append(present, v)
		p := polls[i%len(polls)]
		var want []ranked
		for _, v := range present {
			if p.matches(v) {
				want = append(want, v)
			}
		}
		if p.compare != nil {
			slices.SortStableFunc(want, p.compare)
		}
		if len(want) == 0 {
			continue
		}
		require.Equal(k, want[:min(4, len(want))], readUpTo(k, 4, ranked{}, p.opts...))
		if i%2 == 0 {
			require.Equal(k, want[0], take(k, ranked{}, p.opts...))
			present = slices.DeleteFunc(present, func(v ranked) bool { return v.ID == want[0].ID })
		}
	}
}

// prioOf returns the priority of v; null comes before all.
func prioOf(v ranked) int {
	if v.Prio == nil {
		return -1
	}
	return *v.Prio
}

// readAtMost is readUpTo for what may be nothing.
func readAtMost[T any](k *kit, max int, template T, opts ...space.TakeOption) []T {
	k.Helper()
	if count(k, template) == 0 {
		return []T{}
	}
	return readUpTo(k, max, template, opts...)
}

func orderOfBulkTake(k *kit) {
	taker := start(k, func(ctx context.Context) ([]simple, error) {
		return space.TakeAll(ctx, k.sp, simple{}, 2, space.OrderBy("-id"))
	})
	k.parked(1)
	writeAll(k, simple{"A", 1}, simple{"A", 3}, simple{"A", 2})
	got := taker.result(k)
	require.LessOrEqual(k, len(got), 2)
	require.True(k, slices.IsSortedFunc(got, func(a, b simple) int { return b.ID - a.ID }))
	require.Equal(k, 3-len(got), k.total())
}

func orderInvalid(k *kit) {
	write(k, sample())
	for name, opts := range map[string][]space.TakeOption{
		"name in Go": {space.OrderBy("Int")}, "unordered class": {space.OrderBy("strings")}, "map": {space.OrderBy("-map")},
		"field twice": {space.OrderBy("int", "-int")}, "with Or": {space.OrderBy("int"), space.Or(e1)},
		"empty name": {space.OrderBy("")},
	} {
		for _, v := range verbs {
			_, err := find[every](v)(k.ctx, k.sp, every{}, append(opts, space.NoWait())...)
			require.ErrorIs(k, err, space.ErrInvalidArgument, name)
		}
	}
	q := k.match() // a template without a kind has no fields to order by
	q.Order = []template.Order{{Field: 0}}
	_, err := k.sp.Take(k.ctx, q)
	k.fails(space.ErrInvalidArgument, err)
	require.Equal(k, 1, k.total())
}
