package space_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestOptions_Refused(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Task{ID: 1})
	ctx := t.Context()
	tests := map[string]struct {
		call func() error
		text string
	}{
		"negative wait of read": {
			func() error { _, err := space.Read(ctx, sp, Task{}, space.Wait(-1)); return err },
			"negative",
		},
		"negative wait of take": {
			func() error { _, err := space.Take(ctx, sp, Task{}, space.Wait(-1)); return err },
			"negative",
		},
		"negative wait of readIfExists": {
			func() error { _, err := space.ReadIfExists(ctx, sp, Task{}, space.Wait(-1)); return err }, "negative",
		},
		"negative wait of takeIfExists": {
			func() error { _, err := space.TakeIfExists(ctx, sp, Task{}, space.Wait(-1)); return err }, "negative",
		},
		"negative lease": {func() error { _, err := space.Write(ctx, sp, Task{}, space.For(-1)); return err }, "negative"},
		"max": {func() error {
			for _, err := range space.Contents(ctx, sp, Task{}, space.Max(0)) {
				return err
			}
			return nil
		}, "not positive"},
		"order by the name in Go": {
			func() error { _, err := space.Take(ctx, sp, Task{}, space.OrderBy("-Priority")); return err },
			`no field "Priority"`,
		},
		"order by a field twice": {
			func() error { _, err := space.Take(ctx, sp, Task{}, space.OrderBy("id", "-id")); return err }, "twice",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.call()
			require.ErrorIs(t, err, space.ErrInvalidArgument)
			require.ErrorContains(t, err, tt.text)
			require.Equal(t, 1, count(t, sp, Task{}), "the call has changed something")
		})
	}
}

func TestOptions_AreReusable(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Task{ID: 1, Priority: 1}, Task{ID: 2, Priority: 2})
	opts := []space.ReadOption{space.Where("priority", space.Gt(1)), space.OrderBy("-id"), space.NoWait()}
	for range 3 {
		task, err := space.Read(t.Context(), sp, Task{}, opts...)
		require.NoError(t, err)
		require.Equal(t, 2, task.ID)
	}
}

func TestOr_IsUnion(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Task{ID: 1, State: "new"}, Task{ID: 2, State: "old", Priority: 3}, Task{ID: 3, State: "old"})
	write(t, sp, Order{Payment{"ann", 1}, "lamp"})

	require.Equal(t, 2, count(t, sp, Task{State: "new"}, space.Or(Task{ID: 2})))
	require.Equal(t, 1, count(t, sp, Task{State: "new"}, space.Or(Task{ID: 1})), "an entry that matches twice counts once")
	require.Equal(t, 2, count(t, sp, Task{State: "new"}, space.Or(Payment{})))
	require.Equal(t, 2, count(t, sp, Task{}, space.Where("state", space.Eq("new")),
		space.Or(Task{State: "old"}), space.Where("priority", space.Gt(0))), "a condition belongs to the template before it")

	_, err := space.Take(t.Context(), sp, Task{}, space.Or(Task{}), space.OrderBy("id"))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestOr_OfATypeThatTheCallCannotHold(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Order{Payment{"ann", 1}, "lamp"})
	_, err := space.Take(t.Context(), sp, Task{ID: 1}, space.Or(Order{}))
	var unusable *space.UnusableEntryError
	require.ErrorAs(t, err, &unusable)
	require.Equal(t, "order", unusable.Kind)
	require.Equal(t, "lamp", unusable.Fields["item"])
	require.Zero(t, count(t, sp, Order{}), "the take has removed it")
}

// A nil option, and a nil function, are told as mistakes of the call.
func TestOptions_NilIsInvalid(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	type item struct{ N int }
	_, err := space.Read(ctx, sp, item{}, space.NoWait(), nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, "option 2 of 2 is nil")
	_, err = space.Write(ctx, sp, item{1}, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Begin(ctx, sp, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Notify(ctx, sp, item{}, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Count(ctx, sp, item{}, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Update(ctx, sp, item{}, nil, space.NoWait())
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	for _, err := range space.Contents(ctx, sp, item{}, nil) {
		require.ErrorIs(t, err, space.ErrInvalidArgument)
	}
}
