package space_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestOptions_Refused(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Task{ID: 1})
	find := func(call func(context.Context, space.Space, Task, ...space.Option) (Task, error)) func(...space.Option) error {
		return func(opts ...space.Option) error {
			_, err := call(t.Context(), sp, Task{}, opts...)
			return err
		}
	}
	write := func(opts ...space.Option) error {
		_, err := space.Write(t.Context(), sp, Task{}, opts...)
		return err
	}
	contents := func(opts ...space.Option) error {
		for _, err := range space.Contents(t.Context(), sp, Task{}, opts...) {
			return err
		}
		return nil
	}
	tests := map[string]struct {
		call   func(...space.Option) error
		option space.Option
		text   string
	}{
		"negative wait of read":         {find(space.Read[Task]), space.Wait(-1), "negative"},
		"negative wait of take":         {find(space.Take[Task]), space.Wait(-1), "negative"},
		"negative wait of readIfExists": {find(space.ReadIfExists[Task]), space.Wait(-1), "negative"},
		"negative wait of takeIfExists": {find(space.TakeIfExists[Task]), space.Wait(-1), "negative"},
		"negative lease":                {write, space.For(-1), "negative"},
		"max":                           {contents, space.Max(0), "not positive"},
		"lease for take":                {find(space.Take[Task]), space.For(time.Hour), "For has no meaning"},
		"max for take":                  {find(space.Take[Task]), space.Max(2), "Max has no meaning"},
		"where for write":               {write, space.Where("id", space.Eq(1)), "Where has no meaning"},
		"wait for contents":             {contents, space.Wait(1), "Wait has no meaning"},
		"order by the name in Go":       {find(space.Take[Task]), space.OrderBy("-Priority"), `no field "Priority"`},
		"order by a field twice":        {find(space.Take[Task]), space.OrderBy("id", "-id"), "twice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.call(tt.option)
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
	opts := []space.Option{space.Where("priority", space.Gt(1)), space.OrderBy("-id"), space.NoWait()}
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
