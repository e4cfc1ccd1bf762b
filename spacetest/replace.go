package spacetest

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func replaceCases() cases {
	return cases{
		{"an entry gets new fields, and keeps its identity, lease and place", replaceKeeps},
		{"a replaced entry is found by its new fields alone", replaceMatches},
		{"a replacement keeps the fields that its type does not have", replaceKeepsFields}, // semantics 1.10
		{"a replacement of any version loses no change of others", replaceAnyVersion},      // semantics 1.10
		{"every replacement is a new version", replaceVersions},
		{"all replacements under a transaction are one new version", replaceVersionInTxn},
		{"a replacement of another version is refused", replaceConflict},
		{"what is gone, or was never there, cannot be replaced", replaceGone},
		{"a replacement of another kind, or too large, is refused", replaceInvalid},
		{"a replacement serves those who wait for what the entry is now", replaceServes},
		{"a replacement is no write to listeners", replaceEvents},
		{"a replacement under a transaction is seen by others once it is committed", replaceInTxn},
		{"an aborted replacement has not happened", replaceAborted},
		{"what is replaced and taken under one transaction", replaceTaken},
		{"what is written and replaced under one transaction", replaceOwn},
		{"an entry that others have locked cannot be replaced", replaceLocked},
		{"a take that waits for a replaced entry sees what it is then", replaceWaits},
	}
}

func replace[T any](k *kit, id space.LeaseID, version uint32, v T, opts ...space.TxnOption) uint32 {
	k.Helper()
	next, err := space.Replace(k.ctx, k.sp, id, version, v, opts...)
	k.ok(err)
	return next
}

func replaceKeeps(k *kit) {
	k.needOnePartition()
	write(k, e1)
	l := write(k, e2, space.For(long))
	write(k, e3)
	require.Equal(k, uint32(2), replace(k, l.ID(), 1, simple{"new", 7}))
	require.Equal(k, []simple{e1, {"new", 7}, e3}, readUpTo(k, 10, simple{}))
	require.Equal(k, l.ID(), k.stored(l.ID()).ID)
	require.Equal(k, 3, k.total())
	_, err := l.Renew(k.ctx, short)
	k.ok(err)
	k.ended(l)
	require.Equal(k, []simple{e1, e3}, drain(k, simple{}))

	l = write(k, sample())
	other := sample()
	other.Strings, other.Map, other.Pointer = nil, nil, nil
	replace(k, l.ID(), 0, other)
	require.Equal(k, other, take(k, every{}))
}

func replaceKeepsFields(k *kit) {
	for _, inTxn := range []bool{false, true} {
		id := write(k, third{"kept", 1.5, 2}).ID()
		var opts []space.TxnOption
		t := begin(k)
		if inTxn {
			opts = append(opts, space.In(t))
		}
		require.Equal(k, uint32(2), replace(k, id, 1, first{3}, opts...))
		commit(k, t)
		require.Equal(k, third{"kept", 1.5, 3}, read(k, third{}))
		require.Equal(k, uint32(3), replace(k, id, 0, second{}))
		require.Equal(k, third{"", 1.5, 0}, take(k, third{}), "what the type has is replaced, by zero, too")
	}
	var home homeV2
	home.Where.City, home.Where.Street = "Oslo", "Karl Johan"
	id := write(k, home).ID()
	replace(k, id, 0, homeV1{struct{ City string }{"Bergen"}})
	home.Where.City = "Bergen"
	require.Equal(k, home, take(k, homeV2{}))
}

// replaceAnyVersion replaces what one type has, while others add to what it lacks.
func replaceAnyVersion(k *kit) {
	const each = 50
	id := write(k, third{"n", 0, 1}).ID()
	var adding sync.WaitGroup
	adding.Go(func() {
		for range each {
			if _, err := space.Update(k.ctx, k.sp, third{}, func(v *third) error { v.C++; return nil }); err != nil {
				k.Error(err)
			}
		}
	})
	for i := range each {
		replace(k, id, 0, first{i})
	}
	adding.Wait()
	require.Equal(k, third{"n", each, each - 1}, take(k, third{}))
}

// replaceMatches asks so often that indexes start, and changes what they hold.
func replaceMatches(k *kit) {
	const n = 200
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{fmt.Sprint(i), i}
	}
	ls := writeAll(k, vs...)
	for i := range 300 {
		absent(k, simple{Name: "x", ID: i + 1})
		read(k, simple{}, space.OrderBy("-id"))
	}
	for i, l := range ls {
		replace(k, l.ID(), 1, simple{fmt.Sprint("new ", i), n + i*7%n})
	}
	for i := range n {
		absent(k, simple{Name: fmt.Sprint(i)})
		require.Equal(k, n+i*7%n, read(k, simple{Name: fmt.Sprint("new ", i)}).ID)
		require.Equal(k, fmt.Sprint("new ", i), read(k, simple{ID: n + i*7%n}).Name)
	}
	got := readUpTo(k, n, simple{}, space.OrderBy("id"))
	require.Len(k, got, n)
	for i, v := range got {
		require.Equal(k, n+i, v.ID)
	}
	require.Zero(k, count(k, simple{}, space.Where("id", space.Lt(n))))
	for i, v := range drain(k, simple{}) {
		require.Equal(k, fmt.Sprint("new ", i), v.Name)
	}
}

func replaceVersions(k *kit) {
	id := write(k, e1).ID()
	require.Equal(k, uint32(1), k.stored(id).Version)
	for v := uint32(1); v < 20; v++ {
		require.Equal(k, v+1, replace(k, id, v*(v%2), simple{"A", int(v)})) // every second one says which
		e := k.stored(id)
		require.Equal(k, v+1, e.Version)
		require.Zero(k, e.Attempts)
	}
	t := begin(k)
	take(k, simple{}, space.In(t))
	abort(k, t)
	require.Equal(k, uint32(20), k.stored(id).Version)
}

func replaceVersionInTxn(k *kit) {
	id := write(k, e1).ID()
	t := begin(k)
	own := write(k, e2, space.In(t)).ID()
	for range 3 {
		require.Equal(k, uint32(2), replace(k, id, 0, e3, space.In(t)))
		require.Equal(k, uint32(1), replace(k, own, 1, e2, space.In(t)))
	}
	commit(k, t)
	require.Equal(k, uint32(2), k.stored(id).Version)
	require.Equal(k, uint32(1), k.stored(own).Version)
}

func replaceConflict(k *kit) {
	id := write(k, e1).ID()
	replace(k, id, 1, e2)
	for _, v := range []uint32{1, 3, math.MaxUint32} {
		_, err := space.Replace(k.ctx, k.sp, id, v, e3)
		k.fails(space.ErrVersionConflict, err)
		_, err = space.Replace(k.ctx, k.sp, id, v, e3, space.In(begin(k)))
		k.fails(space.ErrVersionConflict, err)
	}
	require.Equal(k, []simple{e2}, readUpTo(k, 10, simple{}))
	require.Equal(k, uint32(3), replace(k, id, 2, e3))
}

func replaceGone(k *kit) {
	ls := writeAll(k, e1, e1, e1)
	take(k, e1)
	k.ok(ls[1].Cancel(k.ctx))
	_, err := ls[2].Renew(k.ctx, 0)
	k.ok(err)
	reg := notify(k, simple{})
	t := begin(k)
	for _, id := range append(numbers(ls), 1<<60, reg.Lease().ID(), t.Lease().ID()) {
		_, err := space.Replace(k.ctx, k.sp, id, 0, e2)
		k.fails(space.ErrNoMatch, err)
		_, err = space.Replace(k.ctx, k.sp, id, 1, e2, space.In(t))
		k.fails(space.ErrNoMatch, err)
	}
	require.Zero(k, k.total())
}

func replaceInvalid(k *kit) {
	id := write(k, e1).ID()
	_, err := space.Replace(k.ctx, k.sp, id, 0, twin(e2))
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.Replace(k.ctx, k.sp, id, 0, simple{Name: string(make([]byte, tooMuch))})
	k.fails(space.ErrTooLarge, err)
	_, err = space.Replace(k.ctx, k.sp, 0, 0, e2)
	k.fails(space.ErrInvalidArgument, err)
	vanID := write(k, aVan).ID()
	_, err = space.Replace(k.ctx, k.sp, vanID, 0, aCar) // it would lose a field
	k.fails(space.ErrInvalidArgument, err)
	require.Equal(k, e1, take(k, simple{}))
	require.Equal(k, aVan, take(k, van{}))
}

func replaceServes(k *kit) {
	id := write(k, e1).ID()
	reader, first, second := startFind(k, verbs[0], e2), startFind(k, verbs[2], simple{Name: "B"}), startFind(k, verbs[2],
		e3)
	k.needParked(3)
	replace(k, id, 0, e1) // for no waiting call
	k.needParked(3)
	replace(k, id, 0, e2)
	require.Equal(k, e2, reader.result(k))
	require.Equal(k, e2, first.result(k))
	require.Zero(k, k.total())
	id = write(k, e1).ID()
	replace(k, id, 0, e3)
	require.Equal(k, e3, second.result(k))
	_, err := space.Replace(k.ctx, k.sp, id, 0, e1)
	k.fails(space.ErrNoMatch, err)
}

func replaceEvents(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{})
	id := write(k, e1).ID()
	replace(k, id, 0, e2)
	t := begin(k)
	replace(k, id, 0, e3, space.In(t))
	commit(k, t)
	write(k, mark)
	require.Equal(k, []simple{e1}, untilMark(k, reg))
}

func replaceInTxn(k *kit) {
	ls := writeAll(k, e1, e3)
	t := begin(k)
	require.Equal(k, uint32(2), replace(k, ls[0].ID(), 1, e2, space.In(t)))
	require.Equal(k, e2, read(k, e2, space.In(t)))
	absent(k, e1, space.In(t))
	absent(k, e1)
	absent(k, e2)
	require.Equal(k, 1, k.total())
	require.Equal(k, 2, count(k, simple{}, space.In(t)))
	replace(k, ls[0].ID(), 0, simple{"B", 5}, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{{"B", 5}, e3}, readUpTo(k, 10, simple{}))
	absent(k, e2)
	v := k.stored(ls[0].ID()).Version
	require.Greater(k, v, uint32(1))
	replace(k, ls[0].ID(), v, e1)
	require.Equal(k, []simple{e1, e3}, drain(k, simple{}))
}

func replaceAborted(k *kit) {
	ls := writeAll(k, e1, e2)
	for _, end := range []func(*kit, *space.Txn){abort, lapse, cancelTxn} {
		t := begin(k)
		replace(k, ls[0].ID(), 1, e3, space.In(t))
		replace(k, ls[0].ID(), 0, simple{"x", 1}, space.In(t))
		reader := startFind(k, verbs[0], e1)
		k.parked(1)
		end(k, t)
		require.Equal(k, e1, reader.result(k))
		require.Equal(k, []simple{e1, e2}, readUpTo(k, 10, simple{}))
		require.Equal(k, uint32(1), k.stored(ls[0].ID()).Version)
		absent(k, e3)
	}
	replace(k, ls[0].ID(), 1, e3)
	require.Equal(k, []simple{e3, e2}, drain(k, simple{}))
}

func replaceTaken(k *kit) {
	k.needOnePartition()
	for _, end := range []func(*kit, *space.Txn){abort, commit} {
		id := write(k, e1).ID()
		write(k, e2)
		t := begin(k)
		read(k, e1, space.In(t))
		replace(k, id, 1, e3, space.In(t))
		require.Equal(k, e3, take(k, e3, space.In(t)))
		absent(k, e3, space.In(t))
		absent(k, e1, space.In(t))
		_, err := space.Replace(k.ctx, k.sp, id, 0, e1, space.In(t))
		k.fails(space.ErrNoMatch, err)
		end(k, t)
		if k.total() == 2 {
			require.Equal(k, []simple{e1, e2}, drain(k, simple{})) // as it was, in its old place
		}
	}
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func replaceOwn(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{})
	t := begin(k)
	id := write(k, e1, space.In(t)).ID()
	replace(k, id, 0, e2, space.In(t))
	require.Equal(k, []simple{e2}, collect(k, simple{}, space.In(t)))
	_, err := space.Replace(k.ctx, k.sp, id, 0, e3)
	require.Error(k, err) // others do not see it
	replace(k, id, 0, e3, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e3}, drain(k, simple{}))
	write(k, mark)
	require.Equal(k, []simple{e3}, untilMark(k, reg))
}

func replaceLocked(k *kit) {
	for name, lock := range map[string]func(*kit, simple,
		...space.TakeOption) simple{"read": read[simple], "taken": take[simple]} {
		id := write(k, e1).ID()
		t, other := begin(k), begin(k)
		lock(k, e1, space.In(t))
		_, err := space.Replace(k.ctx, k.sp, id, 0, e2)
		require.ErrorIs(k, err, space.ErrLocked, name)
		require.NotErrorIs(k, err, space.ErrVersionConflict, name)
		waiting := start(k, func(ctx context.Context) (uint32, error) {
			return space.Replace(ctx, k.sp, id, 1, e2, space.In(other))
		})
		k.parked(1)
		abort(k, t)
		require.Equal(k, uint32(2), waiting.result(k))
		_, err = space.Replace(k.ctx, k.sp, id, 0, e3)
		require.ErrorIs(k, err, space.ErrLocked, name)
		commit(k, other)
		require.Equal(k, []simple{e2}, drain(k, simple{}))
	}
	id := write(k, e1).ID()
	t := begin(k)
	read(k, e1, space.In(t))
	replace(k, id, 1, e2, space.In(t)) // its own lock
	_, err := space.Take(k.ctx, k.sp, simple{}, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	commit(k, t)
	require.Equal(k, e2, take(k, simple{}))
}

func replaceWaits(k *kit) {
	for _, end := range []func(*kit, *space.Txn){abort, commit} {
		id := write(k, e1).ID()
		t := begin(k)
		replace(k, id, 0, e2, space.In(t))
		old := startFind(k, verbs[3], e1, space.Wait(long))
		now := startFind(k, verbs[3], e2, space.Wait(long))
		k.needParked(2)
		end(k, t)
		gotOld, errOld := old.wait()
		gotNew, errNew := now.wait()
		if errOld == nil {
			k.fails(space.ErrNoMatch, errNew)
			require.Equal(k, e1, gotOld)
		} else {
			k.fails(space.ErrNoMatch, errOld)
			k.ok(errNew)
			require.Equal(k, e2, gotNew)
		}
		require.Zero(k, k.total())
	}
}
