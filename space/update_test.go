package space_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

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

func TestUpdate_ChangeToNilIsInvalid(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	_, err := space.Update(ctx, sp, &Task{}, func(task **Task) error { *task = nil; return nil })
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.Equal(t, 1, count(t, sp, Task{ID: 1}))
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
