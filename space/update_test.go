package space_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestUpdate_KeepsIdentityLeaseAndAge(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	leases := write(t, sp, Task{ID: 1, State: "new"}, Task{ID: 2, State: "new"})
	got, err := space.Update(ctx, sp, Task{State: "new"}, func(task *Task) error { task.State = "old"; return nil })
	require.NoError(t, err)
	require.Equal(t, Task{ID: 1, State: "old"}, got)
	q, err := space.Match(ctx, sp, Task{})
	require.NoError(t, err)
	q.Max = 10
	entries, err := sp.Read(ctx, q)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, leases[0].ID(), entries[0].ID, "it is still the oldest")
	require.EqualValues(t, 2, entries[0].Version)
	require.EqualValues(t, 1, entries[1].Version)
	require.Equal(t, 1, count(t, sp, Task{State: "old"}), "it is found by what it is now")
	require.Equal(t, 1, count(t, sp, Task{State: "new"}))
}

func TestUpdate_ServesWhoWaits(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1, State: "new"})
		var done sync.WaitGroup
		done.Go(func() {
			task, err := space.Take(ctx, sp, Task{State: "old"})
			require.NoError(t, err)
			require.Equal(t, 1, task.ID)
		})
		synctest.Wait()
		_, err := space.Update(ctx, sp, Task{}, func(task *Task) error { task.State = "old"; return nil })
		require.NoError(t, err)
		done.Wait()
	})
}

func TestUpdate_BeginsAgainAfterAConflict(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	lease := write(t, sp, Task{ID: 1})[0]
	calls := 0
	got, err := space.Update(ctx, sp, Task{}, func(task *Task) error {
		if calls++; calls == 1 {
			_, err := space.Replace(ctx, sp, lease.ID(), 1, Task{ID: 1, Priority: 5})
			require.NoError(t, err)
		}
		task.Priority++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, Task{ID: 1, Priority: 6}, got)

	calls = 0
	_, err = space.Update(ctx, sp, Task{}, func(*Task) error {
		if calls++; calls == 1 {
			_, err := space.Take(ctx, sp, Task{})
			require.NoError(t, err)
		}
		return nil
	}, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch, "it was taken meanwhile")
}

func TestUpdate_ChangeMayRefuse(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	no := errors.New("no")
	_, err := space.Update(ctx, sp, Task{}, func(task *Task) error { task.ID = 2; return no })
	require.Equal(t, no, err)
	require.Equal(t, 1, count(t, sp, Task{ID: 1}))
	_, err = space.Update(ctx, sp, Task{State: "none"}, func(*Task) error { return no }, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = space.Update(ctx, sp, &Task{}, func(task **Task) error { *task = nil; return nil })
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Update(ctx, sp, narrowTask{}, func(*narrowTask) error { return nil })
	require.NoError(t, err)
}

// narrowTask is what a program knows of tasks that has no use for most of it.
type narrowTask struct{ Priority int }

func (narrowTask) Kind() string { return "task" }

func TestUpdate_LeavesFieldsAloneThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	owner := "me"
	write(t, sp, Task{ID: 1, State: "new", Owner: &owner})
	write(t, sp, Order{Payment: Payment{Customer: "c", Cents: 5}, Item: "i"})
	_, err := space.Update(ctx, sp, narrowTask{}, func(task *narrowTask) error { task.Priority = 7; return nil })
	require.NoError(t, err)
	_, err = space.Update(ctx, sp, Payment{}, func(p *Payment) error { p.Cents = 0; return nil })
	require.NoError(t, err)
	task, err := space.Read(ctx, sp, Task{})
	require.NoError(t, err)
	require.Equal(t, Task{ID: 1, State: "new", Priority: 7, Owner: &owner}, task)
	order, err := space.Read(ctx, sp, Order{})
	require.NoError(t, err)
	require.Equal(t, Order{Payment: Payment{Customer: "c"}, Item: "i"}, order, "the part of an entry of another kind")
}

func TestUpdate_UnderATransaction(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	increase := func(task *Task) error { task.Priority++; return nil }
	a, b := begin(t, sp), begin(t, sp)
	_, err := space.Read(ctx, sp, Task{}, space.In(a))
	require.NoError(t, err)
	_, err = space.Update(ctx, sp, Task{}, increase, space.In(b), space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch, "another transaction has read it")
	require.NoError(t, a.Commit(ctx))
	_, err = space.Update(ctx, sp, Task{}, increase, space.In(b))
	require.NoError(t, err)
	require.Zero(t, count(t, sp, Task{}), "it is locked")
	require.Equal(t, 1, count(t, sp, Task{Priority: 1}, space.In(b)))
	require.NoError(t, b.Abort(ctx))
	require.Equal(t, 1, count(t, sp, Task{}, space.Where("priority", space.Eq(0))))
}

func TestReplace_ChecksVersionAndKind(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	id := write(t, sp, Task{ID: 1, State: "new"})[0].ID()
	version, err := space.Replace(ctx, sp, id, 1, Task{ID: 2})
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
	_, err = space.Replace(ctx, sp, id, 1, Task{ID: 3})
	require.ErrorIs(t, err, space.ErrVersionConflict)
	version, err = space.Replace(ctx, sp, id, 0, Task{ID: 3})
	require.NoError(t, err, "any version")
	require.EqualValues(t, 3, version)
	got, err := space.ReadID[Task](ctx, sp, id)
	require.NoError(t, err)
	require.Equal(t, Task{ID: 3}, got)
	_, err = space.Replace(ctx, sp, id, 0, sample{})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Replace(ctx, sp, id+1, 0, Task{})
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = space.Replace(ctx, sp, id, 0, Task{State: strings.Repeat("x", 2<<20)})
	require.ErrorIs(t, err, space.ErrTooLarge)
	_, err = space.Replace(ctx, sp, 0, 0, Task{})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = sp.Update(ctx, begin(t, sp).ID(), space.Change{ID: id, Kind: "never registered"})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestByID(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	leases := write(t, sp, Task{ID: 1}, Task{ID: 2})
	second := leases[1].ID()
	task, err := space.ReadID[Task](ctx, sp, second)
	require.NoError(t, err)
	require.Equal(t, 2, task.ID)
	_, err = space.ReadID[sample](ctx, sp, second)
	require.ErrorIs(t, err, space.ErrNoMatch, "it is of another kind")
	_, err = space.ReadID[Task](ctx, sp, second, space.Where("id", space.Lt(2)))
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = space.ReadID[Task](ctx, sp, 0)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	task, err = space.TakeID[Task](ctx, sp, second)
	require.NoError(t, err)
	require.Equal(t, 2, task.ID)
	_, err = space.TakeID[Task](ctx, sp, second)
	require.ErrorIs(t, err, space.ErrNoMatch, "without a wait")
}

func TestByID_WaitsForLocks(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		id := write(t, sp, Task{ID: 1})[0].ID()
		for _, commit := range []bool{false, true} {
			tx := begin(t, sp)
			_, err := space.Take(ctx, sp, Task{}, space.In(tx))
			require.NoError(t, err)
			_, err = space.ReadID[Task](ctx, sp, id, space.NoWait())
			require.ErrorIs(t, err, space.ErrNoMatch)
			var done sync.WaitGroup
			done.Go(func() {
				_, err := space.ReadID[Task](ctx, sp, id)
				if commit {
					require.ErrorIs(t, err, space.ErrNoMatch)
				} else {
					require.NoError(t, err)
				}
			})
			synctest.Wait()
			if commit {
				require.NoError(t, tx.Commit(ctx))
			} else {
				require.NoError(t, tx.Abort(ctx))
			}
			done.Wait()
		}
	})
}

func TestAdd_CountsEverybody(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	var adding sync.WaitGroup
	for range 8 {
		adding.Go(func() {
			for range 50 {
				_, err := space.Add(ctx, sp, Task{ID: 1}, "priority", 3)
				require.NoError(t, err)
			}
		})
	}
	adding.Wait()
	sum, err := space.Add(ctx, sp, Task{ID: 1}, "priority", 0)
	require.NoError(t, err)
	require.EqualValues(t, 8*50*3, sum)
	task, err := space.Read(ctx, sp, Task{})
	require.NoError(t, err)
	require.Equal(t, Task{ID: 1, Priority: 1200}, task)
}

// gauge has fields of several classes, all null at first.
type gauge struct {
	Count *uint
	Level *int64
	Name  *string
}

func TestAdd_Bounds(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, gauge{})
	sum, err := space.Add(ctx, sp, gauge{}, "level", math.MinInt64)
	require.NoError(t, err, "null counts as 0")
	require.EqualValues(t, math.MinInt64, sum)
	_, err = space.Add(ctx, sp, gauge{}, "level", -1)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Add(ctx, sp, gauge{}, "count", -1)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Add(ctx, sp, gauge{}, "name", 1)
	require.ErrorContains(t, err, "not an integer")
	_, err = space.Add(ctx, sp, gauge{}, "none", 1)
	require.ErrorContains(t, err, `no field "none"`)
	huge := uint(math.MaxUint64)
	write(t, sp, gauge{Count: &huge})
	_, err = space.Add(ctx, sp, gauge{Count: &huge}, "count", 1)
	require.ErrorContains(t, err, "64 bits")
	sum, err = space.Add(ctx, sp, gauge{}, "level", math.MaxInt64)
	require.NoError(t, err)
	require.EqualValues(t, -1, sum)
}
