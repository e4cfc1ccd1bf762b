//go:build !race

package space_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// A call allocates what it returns, what must stay as it is while the space works on it, and nothing else. The race
// detector makes pools forget, so this is measured without it.
func TestAllocations(t *testing.T) {
	const runs = 1000
	ctx, sp := context.Background(), newSpace(t)
	write(t, sp, make([]Task, 3*runs)...)
	prepared := must(space.Prepare(ctx, sp, Task{}))
	for name, tt := range map[string]struct {
		call func()
		most float64
	}{
		"write":         {func() { must(space.Write(ctx, sp, Task{ID: 7, State: "new"})) }, 4},
		"take":          {func() { must(space.Take(ctx, sp, Task{})) }, 6},
		"prepared take": {func() { must(prepared.Take(ctx)) }, 4},
		"where": {
			func() { must(space.Read(ctx, sp, Task{}, space.Where("priority", space.Ge(0)), space.NoWait())) },
			10,
		},
	} {
		require.LessOrEqual(t, testing.AllocsPerRun(runs, tt.call), tt.most, name)
	}
}
