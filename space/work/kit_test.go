package work_test

import (
	"context"
	"errors"
	"log"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// Task is something to be done.
type Task struct {
	ID       int
	State    string
	Priority int
}

// Done is the result of a Task.
type Done struct{ ID int }

// newSpace returns a space that is closed when the test ends.
func newSpace(t testing.TB) space.Space {
	t.Helper()
	sp := memory.New(memory.Config{})
	t.Cleanup(func() { require.NoError(t, sp.Close()) })
	return sp
}

// bubble runs a test in a synctest bubble, with a space of its own.
func bubble(t *testing.T, test func(ctx context.Context, sp space.Space)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sp := memory.New(memory.Config{})
		defer func() { require.NoError(t, sp.Close()) }()
		test(t.Context(), sp)
	})
}

// write stores entries with one call.
func write[T any](t testing.TB, sp space.Space, entries ...T) []*space.Lease {
	t.Helper()
	leases, err := space.WriteAll(context.Background(), sp, entries)
	require.NoError(t, err)
	return leases
}

// count returns how many entries match.
func count[T any](t testing.TB, sp space.Space, template T) int {
	t.Helper()
	n, err := space.Count(context.Background(), sp, template)
	require.NoError(t, err)
	return n
}

var errDown = errors.New("the line is down")

// lossy is a space whose Renew can be cut off, with an error or without an answer.
type lossy struct {
	space.Space
	down, mute atomic.Bool
}

func (s *lossy) Renew(ctx context.Context, d time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
	switch {
	case s.mute.Load():
		<-ctx.Done()
		return nil, ctx.Err()
	case s.down.Load():
		return nil, errDown
	}
	return s.Space.Renew(ctx, d, ids...)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Panic(err)
	}
	return v
}
