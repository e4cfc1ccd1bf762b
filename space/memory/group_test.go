package memory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

type coin struct{ Value int }

// coins opens a group in which each of two spaces has a coin, of the value 1 or 2.
func coins(t *testing.T) (g *memory.Group, a, b space.Space) {
	g = memory.NewGroup(memory.Config{})
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	a, b = g.Space("a"), g.Space("b")
	for i, sp := range []space.Space{a, b} {
		_, err := space.Write(t.Context(), sp, coin{i + 1})
		require.NoError(t, err)
	}
	return g, a, b
}

// move takes the only coin of one space and writes it into another.
func move(ctx context.Context, tx *space.Txn, from, to space.Space) error {
	c, err := space.Take(ctx, from, coin{}, space.In(tx), space.NoWait())
	if err != nil {
		return err
	}
	_, err = space.Write(ctx, to, c, space.In(tx))
	return err
}

func countCoins(t *testing.T, sp space.Space) int {
	n, err := space.Count(t.Context(), sp, coin{})
	require.NoError(t, err)
	return n
}

func TestGroup_TransactionsSpanItsSpaces(t *testing.T) {
	t.Parallel()
	g, a, b := coins(t)
	require.Same(t, a, g.Space("a"))
	require.Equal(t, []string{"a", "b"}, g.Names())
	tx, err := space.Begin(t.Context(), a)
	require.NoError(t, err)
	require.NoError(t, move(t.Context(), tx, b, a))
	require.NoError(t, space.Stage(t.Context(), tx, coin{9}))
	require.Equal(t, []int{1, 0}, []int{countCoins(t, a), countCoins(t, b)})
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []int{3, 0}, []int{countCoins(t, a), countCoins(t, b)})
	require.ErrorIs(t, move(t.Context(), space.TxnOf(a, tx.ID()), b, a), space.ErrTxnEnded)
}

func TestGroup_AbortAndRollback(t *testing.T) {
	t.Parallel()
	_, a, b := coins(t)
	tx, err := space.Begin(t.Context(), a)
	require.NoError(t, err)
	require.NoError(t, move(t.Context(), tx, b, a))
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, []int{1, 1}, []int{countCoins(t, a), countCoins(t, b)})
	require.NoError(t, move(t.Context(), tx, b, a))
	require.NoError(t, space.TxnOf(b, tx.ID()).Abort(t.Context()), "from wherever")
	require.Equal(t, []int{1, 1}, []int{countCoins(t, a), countCoins(t, b)})
	require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded)
}

func TestGroup_EndOfTheLeaseEndsBranches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := memory.NewGroup(memory.Config{})
		defer g.Close()
		a, b := g.Space("a"), g.Space("b")
		_, err := space.Write(t.Context(), b, coin{1})
		require.NoError(t, err)
		tx, err := space.Begin(t.Context(), a, space.For(time.Minute))
		require.NoError(t, err)
		require.NoError(t, move(t.Context(), tx, b, a))
		start := time.Now()
		_, err = space.Read(t.Context(), b, coin{})
		require.NoError(t, err)
		require.InDelta(t, time.Minute, time.Since(start), float64(time.Second))
	})
}

func TestGroup_SharesTransactionsWithNobodyElse(t *testing.T) {
	t.Parallel()
	_, a, _ := coins(t)
	_, other, _ := coins(t)
	alone := memory.New(memory.Config{Name: "a"})
	defer alone.Close()
	tx, err := space.Begin(t.Context(), a)
	require.NoError(t, err)
	for _, sp := range []space.Space{other, alone} {
		_, err = space.Write(t.Context(), sp, coin{1}, space.In(tx))
		require.ErrorIs(t, err, space.ErrInvalidArgument)
	}
	require.NoError(t, tx.Commit(t.Context()))
}

func TestGroup_CloseClosesItsSpaces(t *testing.T) {
	t.Parallel()
	g, a, b := coins(t)
	tx, err := space.Begin(t.Context(), a)
	require.NoError(t, err)
	require.NoError(t, move(t.Context(), tx, b, a))
	require.NoError(t, b.Close())
	require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded, "a space of it is gone")
	require.Equal(t, 1, countCoins(t, a))
	require.NoError(t, g.Close())
	_, err = space.Count(t.Context(), a, coin{})
	require.ErrorIs(t, err, space.ErrClosed)
	_, err = space.Count(t.Context(), g.Space("new"), coin{})
	require.ErrorIs(t, err, space.ErrClosed)
}

func TestGroup_ManyTransactionsKeepAllCoins(t *testing.T) {
	t.Parallel()
	g := memory.NewGroup(memory.Config{})
	defer g.Close()
	spaces := []space.Space{g.Space("a"), g.Space("b"), g.Space("c")}
	const have = 20
	for i := range have {
		_, err := space.Write(t.Context(), spaces[i%3], coin{i})
		require.NoError(t, err)
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 200 {
				home, from, to := spaces[i%3], spaces[(w+i)%3], spaces[(w+i+1)%3]
				tx, err := space.Begin(t.Context(), home)
				if err == nil {
					err = move(t.Context(), tx, from, to)
				}
				if err == nil && i%5 > 0 {
					err = tx.Commit(t.Context())
				} else if err == nil || errors.Is(err, space.ErrNoMatch) {
					err = tx.Abort(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, sp := range spaces {
		sum += countCoins(t, sp)
	}
	require.Equal(t, have, sum)
}
