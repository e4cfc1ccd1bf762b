package space_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/txn"
)

func begin(t *testing.T, sp space.Space, opts ...space.LeaseOption) *space.Txn {
	t.Helper()
	tx, err := space.Begin(t.Context(), sp, opts...)
	require.NoError(t, err)
	return tx
}

func TestTxn_BelongsToItsSpace(t *testing.T) {
	t.Parallel()
	ctx, sp, other := t.Context(), newSpace(t), newSpace(t)
	tx := begin(t, other)
	_, err := space.Write(ctx, sp, Task{}, space.In(tx))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, "began in another space")
	begin(t, sp) // has the same number, perhaps
	_, err = space.Write(ctx, sp, Task{}, space.In(space.TxnOf(sp, tx.ID())))
	require.ErrorContains(t, err, "began in another space")
	require.ErrorIs(t, space.TxnOf(sp, tx.ID()).Commit(ctx), space.ErrInvalidArgument)
	require.ErrorIs(t, space.TxnOf(sp, txn.ID{}).Commit(ctx), space.ErrInvalidArgument)
	_, err = space.Write(ctx, sp, Task{}, space.In(nil))
	require.ErrorContains(t, err, "nil")

	require.Equal(t, tx.ID(), space.TxnOf(other, txn.ID{Number: tx.ID().Number}).ID())
	named := memory.New(memory.Config{Name: "orders"})
	defer named.Close()
	require.Equal(t, "orders", begin(t, named).ID().Space)
}

func TestTxn_TellsOfItsLoss(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		var lost []error
		note := func(why error) { lost = append(lost, why) }
		begin := func() *space.Txn {
			tx, err := space.Begin(ctx, sp, space.For(time.Minute))
			require.NoError(t, err)
			tx.OnLoss(note)
			return tx
		}
		require.NoError(t, begin().Commit(ctx))
		require.NoError(t, begin().Abort(ctx))
		synctest.Wait()
		require.Empty(t, lost, "its holder has ended it")

		lapsed, cancelled := begin(), begin()
		require.NoError(t, cancelled.Lease().Cancel(ctx))
		time.Sleep(time.Hour)
		synctest.Wait()
		lapsed.OnLoss(note)
		require.Len(t, lost, 3, "of both, and once more of the one that was lost before")
		for _, why := range lost {
			require.ErrorIs(t, why, space.ErrTxnEnded)
		}
	})
}

// counting is a space that counts commits.
type counting struct {
	space.Space
	commits *int
}

func (s counting) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	*s.commits++
	return s.Space.Commit(ctx, id, entries)
}

func TestTxn_ThroughASpaceAroundItsOwn(t *testing.T) {
	t.Parallel()
	ctx, local := t.Context(), newSpace(t)
	n := 0
	sp := counting{local, &n}
	write(t, local, Task{ID: 1})
	p, err := space.Prepare(ctx, sp, Task{})
	require.NoError(t, err)
	q := p.Query()
	q.Begin, q.Lease = true, time.Minute
	found, err := sp.Take(ctx, q)
	require.NoError(t, err)
	tx := found[0].Txn.Through(sp)
	require.Equal(t, space.Space(sp), tx.Space())
	_, err = space.Write(ctx, sp, Task{ID: 2}, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, 1, n)
}

func TestStage_TakesTheTypeOfAnInterfacesValue(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	tx, err := space.Begin(ctx, sp)
	require.NoError(t, err)
	for _, v := range []any{Task{ID: 1}, &Task{ID: 2}, Payment{Cents: 3}} {
		require.NoError(t, space.Stage(ctx, tx, v))
	}
	require.ErrorIs(t, space.Stage[any](ctx, tx, nil), space.ErrInvalidArgument)
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, 2, count(t, sp, Task{}))
	require.Equal(t, 1, count(t, sp, Payment{Cents: 3}))
}
