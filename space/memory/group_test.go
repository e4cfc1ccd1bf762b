package memory_test

import (
	"context"
	"testing"

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
