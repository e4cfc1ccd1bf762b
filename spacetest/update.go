package spacetest

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func updateCases() cases {
	return cases{
		{"an update changes the oldest match in its place", updateOldest},
		{"an update waits for a match, as a read does", updateWaits},
		{"an update that fails changes nothing", updateFails},
		{"an update keeps the fields that its type does not have", updateKeepsFields},
		{"no update is lost", updateNoneLost},
		{"no update under a transaction is lost", updateTxnNoneLost},
		{"an update under a transaction waits for its turn", updateTxnWaits},   // semantics 5.11
		{"the wait of an update ends as others do", updateTxnWaitEnds},         // semantics 5.11
		{"updates that wait for each other are a deadlock", updateTxnDeadlock}, // semantics 5.11
		{"numbers are added to a field", addNumbers},
		{"every number that is added counts", addConcurrent},
		{"what cannot be added is refused", addInvalid},
	}
}

// addOne is a change.
func addOne(v *simple) error {
	v.ID++
	return nil
}

func updateOldest(k *kit) {
	writeAll(k, e1, e2, e3)
	got, err := space.Update(k.ctx, k.sp, simple{Name: "A"}, addOne)
	k.ok(err)
	require.Equal(k, simple{"A", 2}, got)
	got, err = space.Update(k.ctx, k.sp, simple{}, addOne, space.OrderBy("-name"))
	k.ok(err)
	require.Equal(k, simple{"B", 3}, got)
	got, err = space.Update(k.ctx, k.sp, simple{Name: "A"}, addOne, space.Where("id", space.Ge(2)), space.In(begin(k)))
	k.ok(err)
	require.Equal(k, simple{"A", 3}, got)
	require.Equal(k, []simple{{"B", 3}, e3}, readUpTo(k, 10, simple{}))
}

func updateWaits(k *kit) {
	_, err := space.Update(k.ctx, k.sp, e1, addOne, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	_, err = space.Update(k.ctx, k.sp, e1, addOne, space.Wait(brief))
	k.fails(space.ErrNoMatch, err)
	p := start(k, func(ctx context.Context) (simple, error) { return space.Update(ctx, k.sp, e1, addOne) })
	k.parked(1)
	write(k, e1)
	require.Equal(k, simple{"A", 2}, p.result(k))
	require.Equal(k, []simple{{"A", 2}}, drain(k, simple{}))

	write(k, e1)
	t := begin(k)
	read(k, e1, space.In(t))
	p = start(k, func(ctx context.Context) (simple, error) { return space.Update(ctx, k.sp, e1, addOne) })
	commit(k, t)
	require.Equal(k, simple{"A", 2}, p.result(k)) // once it is not locked
}

func updateFails(k *kit) {
	id := write(k, e1).ID()
	cause := errors.New("cause")
	_, err := space.Update(k.ctx, k.sp, e1, func(v *simple) error { v.ID = 9; return cause })
	k.fails(cause, err)
	_, err = space.Update(k.ctx, k.sp, e1, func(v *simple) error { v.Name = string(make([]byte, tooMuch)); return nil })
	k.fails(space.ErrTooLarge, err)
	e := k.stored(id)
	require.Equal(k, uint32(1), e.Version)
	require.Equal(k, []simple{e1}, decode(k, []space.Entry{e}))
	write(k, wide{300})
	_, err = space.Update(k.ctx, k.sp, narrow{}, func(*narrow) error { return nil })
	var unusable *space.UnusableEntryError
	require.ErrorAs(k, err, &unusable)
	require.Equal(k, wide{300}, read(k, wide{}))
}

func updateKeepsFields(k *kit) {
	write(k, third{"kept", 1.5, 2})
	got, err := space.Update(k.ctx, k.sp, first{2}, func(v *first) error { v.A = 3; return nil })
	k.ok(err)
	require.Equal(k, first{3}, got)
	require.Equal(k, third{"kept", 1.5, 3}, take(k, third{}))

	write(k, aVan)
	base, err := space.Update(k.ctx, k.sp, vehicle{Plate: "N"}, func(v *vehicle) error { v.Wheels = 6; return nil })
	k.ok(err)
	require.Equal(k, vehicle{"N", 6}, base)
	changed := aVan
	changed.Wheels = 6
	require.Equal(k, changed, take(k, van{}))
}

func updateNoneLost(k *kit) {
	const goroutines, each = 6, 25
	write(k, simple{"counter", 0})
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if _, err := space.Update(k.ctx, k.sp, simple{Name: "counter"}, addOne); err != nil {
					k.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(k, []simple{{"counter", goroutines * each}}, drain(k, simple{}))
}

func updateTxnNoneLost(k *kit) {
	const goroutines, each = 5, 15
	write(k, simple{"counter", 0})
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				t, err := space.Begin(k.ctx, k.sp)
				if err == nil {
					_, err = space.Update(k.ctx, k.sp, simple{Name: "counter"}, addOne, space.In(t))
				}
				if err == nil {
					_, err = space.Add(k.ctx, k.sp, simple{Name: "counter"}, "id", 1, space.In(t))
				}
				if err == nil {
					err = t.Commit(k.ctx)
				}
				if err != nil {
					k.Error(err) // each waits for its turn
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(k, []simple{{"counter", 2 * goroutines * each}}, drain(k, simple{}))
}

// startUpdate starts an update under t.
func startUpdate(k *kit, t *space.Txn, template simple) *pending[simple] {
	return start(k, func(ctx context.Context) (simple, error) {
		return space.Update(ctx, k.sp, template, addOne, space.In(t))
	})
}

func updateTxnWaits(k *kit) {
	write(k, e1)
	reader, a, b := begin(k), begin(k), begin(k)
	read(k, e1, space.In(reader))
	first := startUpdate(k, a, simple{Name: "A"})
	if !k.parked(1) {
		return
	}
	second := start(k, func(ctx context.Context) (int64, error) {
		return space.Add(ctx, k.sp, simple{Name: "A"}, "id", 10, space.In(b))
	})
	k.parked(2)
	commit(k, reader)
	require.Equal(k, simple{"A", 2}, first.result(k))
	if !k.parked(1) {
		return
	}
	require.Equal(k, simple{"A", 2}, read(k, simple{}, space.In(a)))
	commit(k, a)
	require.EqualValues(k, 12, second.result(k))
	abort(k, b)
	require.Equal(k, []simple{{"A", 2}}, drain(k, simple{}))
}

func updateTxnWaitEnds(k *kit) {
	write(k, e1)
	reader, a := begin(k), begin(k)
	read(k, e1, space.In(reader))
	waiting := startUpdate(k, a, e1)
	k.parked(1)
	abort(k, a)
	_, err := waiting.wait()
	k.fails(space.ErrTxnEnded, err)

	b := begin(k)
	_, err = space.Update(k.ctx, k.sp, e1, addOne, space.In(b), space.NoWait())
	k.fails(space.ErrNoMatch, err)
	_, err = space.Update(k.ctx, k.sp, e1, addOne, space.NoWait())
	k.fails(space.ErrLocked, err)
	_, err = space.Add(k.ctx, k.sp, e1, "id", 1, space.Wait(brief))
	k.fails(space.ErrLocked, err)
	commit(k, reader)
	require.Equal(k, e1, read(k, simple{}))
}

func updateTxnDeadlock(k *kit) {
	k.needOnePartition()
	writeAll(k, e1, e2)
	a, b := begin(k), begin(k)
	// In this order: in a space that is not theirs, the older is the one that came first.
	for i, t := range []*space.Txn{a, b} {
		_, err := space.Update(k.ctx, k.sp, []simple{e1, e2}[i], func(s *simple) error { return nil }, space.In(t))
		k.ok(err)
	}
	first := startUpdate(k, a, e2)
	k.parked(1)
	_, err := space.Update(k.ctx, k.sp, e1, addOne, space.In(b))
	k.fails(space.ErrDeadlock, err)
	require.Equal(k, simple{"B", 3}, first.result(k))
	commit(k, a)
	require.Equal(k, []simple{{"A", 1}, {"B", 3}}, drain(k, simple{}))
}

func addNumbers(k *kit) {
	write(k, e1)
	for _, c := range []struct{ n, sum int64 }{{1, 2}, {40, 42}, {-50, -8}, {0, -8}} {
		sum, err := space.Add(k.ctx, k.sp, simple{Name: "A"}, "id", c.n)
		k.ok(err)
		require.Equal(k, c.sum, sum)
		require.Equal(k, int(c.sum), read(k, simple{}).ID)
	}
	name := "null"
	write(k, optional{Name: &name})
	sum, err := space.Add(k.ctx, k.sp, optional{Name: &name}, "id", 5)
	k.ok(err)
	require.Equal(k, int64(5), sum)
	require.Equal(k, 5, *take(k, optional{}).ID)

	t := begin(k)
	sum, err = space.Add(k.ctx, k.sp, simple{}, "id", 3, space.In(t))
	k.ok(err)
	require.Equal(k, int64(-5), sum)
	absent(k, simple{})
	abort(k, t)
	require.Equal(k, -8, take(k, simple{}).ID)
}

func addConcurrent(k *kit) {
	const goroutines, each = 6, 40
	write(k, simple{"counter", 0})
	sums := make([]map[int64]bool, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		sums[g] = map[int64]bool{}
		wg.Go(func() {
			for range each {
				sum, err := space.Add(k.ctx, k.sp, simple{Name: "counter"}, "id", 1)
				if err != nil {
					k.Error(err)
				}
				sums[g][sum] = true
			}
		})
	}
	wg.Wait()
	all := map[int64]bool{}
	for _, s := range sums {
		require.Len(k, s, each)
		for n := range s {
			require.False(k, all[n])
			all[n] = true
		}
	}
	require.Equal(k, goroutines*each, take(k, simple{}).ID)
}

func addInvalid(k *kit) {
	write(k, simple{"most", math.MaxInt64})
	for field, n := range map[string]int64{"id": 1, "name": 1, "nothing": 1, "": 1} {
		_, err := space.Add(k.ctx, k.sp, simple{}, field, n)
		require.ErrorIs(k, err, space.ErrInvalidArgument, field)
	}
	_, err := space.Add(k.ctx, k.sp, simple{Name: "none"}, "id", 1, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	write(k, sample())
	// the number in uint64 is beyond an int64
	for _, field := range []string{"float64", "bool", "time", "uint64", "ints"} {
		_, err := space.Add(k.ctx, k.sp, every{}, field, 1)
		require.ErrorIs(k, err, space.ErrInvalidArgument, field)
	}
	require.Equal(k, simple{"most", math.MaxInt64}, take(k, simple{}))
	require.Equal(k, sample(), take(k, every{}))
}
