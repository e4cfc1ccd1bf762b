package spacetest_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/spacetest"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	spacetest.Run(t, openLocal)
}

// openLocal returns a space in process that tells how many calls wait.
func openLocal(tb testing.TB) space.Space {
	p := partition.New(partition.Config{})
	require.NoError(tb, p.Start(tb.Context(), nil))
	sp := observed{local.New(p, nil), p}
	tb.Cleanup(func() { sp.Close() })
	return sp
}

type observed struct {
	*local.Space
	partition *partition.Partition
}

// Waiting implements spacetest.Waiter.
func (o observed) Waiting(context.Context) (int, error) { return o.partition.Stats().Waiting, nil }

// TestNew runs the topics about waiting on what users get, which does not tell how many calls wait.
func TestNew(t *testing.T) {
	t.Parallel()
	spacetest.RunTopics(t, func(tb testing.TB) space.Space {
		sp := memory.New(memory.Config{})
		tb.Cleanup(func() { sp.Close() })
		return sp
	}, "wait", "close", "ifexists", "lockwait", "deadlock", "work")
}

// TestGroup runs what the suite has to say about transactions on one space of a group, with transactions that begin in
// another one.
func TestGroup(t *testing.T) {
	t.Parallel()
	spacetest.RunGuests(t, func(tb testing.TB) space.Space {
		g := memory.NewGroup(memory.Config{})
		tb.Cleanup(func() { require.NoError(tb, g.Close()) })
		return spacetest.Guest(tb, g.Space("guest"), g.Space(rand.Text()))
	})
}
