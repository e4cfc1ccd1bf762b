package replication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

func inMemory(c *Config) { c.Cluster.Memory = true }

// Logs in memory survive their nodes one after the other.
func TestMemory_OutlivesItsNodes(t *testing.T) {
	t.Parallel()
	k := newTrio(t, inMemory)
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	appendAll(t, logs[0], 1, 10)
	incarnation := logs[0].Incarnation()
	for i := range k.stores {
		k.stop(i)
		k.start(i)
		l := k.log(i)
		require.Equal(t, upTo(10), tailed(t, l, 0, 10))
		require.Eventually(t, l.Current, time.Minute, time.Millisecond)
	}
	require.Equal(t, upTo(10), lead(t, k.log(1)))
	require.Equal(t, incarnation, k.log(1).Incarnation())
	appendAll(t, k.log(1), 11, 12)
	require.Equal(t, upTo(12), tailed(t, k.log(2), 0, 12))
}

// A log in memory that all of its nodes have lost is empty, and says so: it is another incarnation, older snapshots are
// of no use, and identities jump ahead.
func TestMemory_LostByAllNodes(t *testing.T) {
	t.Parallel()
	k := newTrio(t, inMemory)
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	appendAll(t, logs[0], 1, 10)
	first := logs[0].Incarnation()
	image(t, logs[0], 5, 1<<10)
	image(t, logs[0], 9, 1<<10)
	for life := 1; life <= 2; life++ {
		k.stop(0, 1, 2)
		k.start(0, 1, 2)
		elect(t, k.log(0), k.log(1), k.log(2))
		a := k.log(0)
		position, _ := loaded(t, a)
		require.EqualValues(t, 9, position, "it is not known yet")
		end, err := a.CatchUp(t.Context(), position, ignore, nil)
		require.NoError(t, err)
		require.EqualValues(t, 9, end)
		_, err = a.Claim(t.Context(), end, record.Clock{})
		require.ErrorIs(t, err, ErrLost)

		position, _ = loaded(t, a)
		require.Zero(t, position)
		end, err = a.CatchUp(t.Context(), 0, ignore, nil)
		require.NoError(t, err)
		require.Zero(t, end)
		claim, err := a.Claim(t.Context(), 0, record.Clock{})
		require.NoError(t, err)
		require.True(t, tellsLoss(claim))
		require.EqualValues(t, 1, claim.Position)
		require.NotEqual(t, first, a.Incarnation())
		appendAll(t, a, 1, 12)
		var r record.Record
		_, err = record.Next(claim.Records, &r)
		require.NoError(t, err)
		require.EqualValues(t, uint64(life-1)*lossIdentities, r.ID)

		b := k.log(1)
		require.Equal(t, upTo(12), tailed(t, b, 0, 12))
		require.Equal(t, a.Incarnation(), b.Incarnation())

		// What the position of an old snapshot has now is another message.
		k.stop(0)
		k.start(0)
		a = k.log(0)
		position, _ = loaded(t, a)
		require.Zero(t, position)
		require.Equal(t, upTo(12), tailed(t, a, 0, 12))
	}
}

// A node remembers that a log had begun, even if it has no snapshot.
func TestMemory_LossIsToldWithoutSnapshots(t *testing.T) {
	t.Parallel()
	k := newTrio(t, inMemory)
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	appendAll(t, logs[0], 1, 3)
	require.Equal(t, upTo(3), tailed(t, logs[1], 0, 3))
	k.stop(0, 1, 2)
	k.start(0, 1, 2)
	b := k.log(1)
	elect(t, k.log(0), b, k.log(2))
	end, err := b.CatchUp(t.Context(), 0, ignore, nil)
	require.NoError(t, err)
	require.Zero(t, end)
	claim, err := b.Claim(t.Context(), 0, record.Clock{})
	require.NoError(t, err)
	require.True(t, tellsLoss(claim))

	require.NoError(t, k.stores[0].Drop(t.Context(), "test", 0))
	require.NoError(t, k.stores[1].Forget("test", 0))
	require.NoError(t, k.stores[0].Create(t.Context(), "test", 0, "anew", []string{"a", "b", "c"}))
	for _, i := range []int{2, 1} { // one that was not told of the drop, and one that was
		l := k.log(i)
		end, err := l.CatchUp(t.Context(), 0, ignore, nil)
		require.NoError(t, err)
		claim, err := l.Claim(t.Context(), end, record.Clock{})
		require.NoError(t, err)
		require.False(t, tellsLoss(claim))
	}
}
