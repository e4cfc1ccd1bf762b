package space_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// newSpace returns a space that is closed when the test ends.
func newSpace(t testing.TB) space.Space {
	t.Helper()
	sp := memory.New(memory.Config{})
	t.Cleanup(func() { require.NoError(t, sp.Close()) })
	return sp
}

// write stores entries with one call.
func write[T any](t testing.TB, sp space.Space, entries ...T) []*space.Lease {
	t.Helper()
	leases, err := space.WriteAll(context.Background(), sp, entries)
	require.NoError(t, err)
	return leases
}

// count returns how many entries match.
func count[T any](t testing.TB, sp space.Space, template T, opts ...space.CountOption) int {
	t.Helper()
	n, err := space.Count(context.Background(), sp, template, opts...)
	require.NoError(t, err)
	return n
}
