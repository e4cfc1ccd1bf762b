package node_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Account is an amount of money in one space.
type Account struct {
	Owner  string
	Amount int
}

// banks opens a node with spaces a, b and c, in each of which x has 100.
func banks(t *testing.T, cfg node.Config) (n *node.Node, cl *client.Client, a, b, c *client.Space) {
	t.Helper()
	n = open(t, cfg)
	cl, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	a, b, c = cl.SpaceNamed("a"), cl.SpaceNamed("b"), cl.SpaceNamed("c")
	for _, sp := range []*client.Space{a, b, c} {
		_, err := space.Write(t.Context(), sp, Account{"x", 100})
		require.NoError(t, err)
	}
	return n, cl, a, b, c
}

func closeAll(t *testing.T, cl *client.Client, n *node.Node) {
	require.NoError(t, cl.Close())
	require.NoError(t, n.Close(context.Background()))
}

// add takes x's account under a transaction and writes it back with amount added.
func add(ctx context.Context, t *space.Txn, sp space.Space, amount int) error {
	acc, err := space.Take(ctx, sp, Account{Owner: "x"}, space.In(t))
	if err != nil {
		return err
	}
	acc.Amount += amount
	_, err = space.Write(ctx, sp, acc, space.In(t))
	return err
}

// amount returns the amount of x, without waiting.
func amount(t *testing.T, sp space.Space) int {
	t.Helper()
	acc, err := space.Read(t.Context(), sp, Account{Owner: "x"}, space.NoWait())
	require.NoError(t, err)
	return acc.Amount
}

// levels runs a test with a log and without.
func levels(t *testing.T, test func(t *testing.T, cfg node.Config)) {
	t.Parallel()
	for _, level := range []string{node.Memory, node.Logged} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			test(t, node.Config{Data: t.TempDir(), Durability: level})
		})
	}
}

func TestSpan_EndsThroughAnotherSpace(t *testing.T) {
	levels(t, func(t *testing.T, cfg node.Config) {
		n, cl, a, b, c := banks(t, cfg)
		tx, err := space.Begin(t.Context(), a)
		require.NoError(t, err)
		require.NoError(t, add(t.Context(), tx, a, -5))
		codec, err := b.Codecs().For(t.Context(), b, reflect.TypeFor[Account]())
		require.NoError(t, err)
		row, err := codec.AppendRow(nil, Account{"y", 5})
		require.NoError(t, err)
		grants, err := b.Commit(t.Context(), tx.ID(),
			[]space.Draft{{Kind: codec.Schema().Kind, Row: row, Lease: space.Forever}})
		require.NoError(t, err)
		require.Len(t, grants, 1)
		require.Equal(t, 95, amount(t, a))
		_, err = space.TakeID[Account](t.Context(), b, grants[0].ID, space.NoWait())
		require.NoError(t, err, "what comes with the commit is written where that was made")

		tx, err = space.Begin(t.Context(), a)
		require.NoError(t, err)
		require.NoError(t, add(t.Context(), tx, c, -5))
		require.NoError(t, b.Rollback(t.Context(), tx.ID()))
		require.Equal(t, 100, amount(t, c))
		require.NoError(t, add(t.Context(), tx, c, -5))
		require.NoError(t, b.Abort(t.Context(), tx.ID()))
		require.Equal(t, 100, amount(t, c))
		require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded)
		closeAll(t, cl, n)
	})
}

func TestSpan_VictimOfADeadlockIsAbortedEverywhere(t *testing.T) {
	levels(t, func(t *testing.T, cfg node.Config) {
		n, cl, a, b, c := banks(t, cfg)
		tx, err := space.Begin(t.Context(), b)
		require.NoError(t, err)
		guest, err := space.Begin(t.Context(), a) // younger in b: the victim
		require.NoError(t, err)
		require.NoError(t, add(t.Context(), guest, c, 1))
		for _, both := range []*space.Txn{tx, guest} {
			_, err = space.Read(t.Context(), b, Account{Owner: "x"}, space.In(both))
			require.NoError(t, err)
		}
		taken := make(chan error, 1)
		go func() {
			_, err := space.Take(t.Context(), b, Account{Owner: "x"}, space.In(tx))
			taken <- err
		}()
		_, err = space.Take(t.Context(), b, Account{Owner: "x"}, space.In(guest))
		require.ErrorIs(t, err, space.ErrDeadlock)
		require.NoError(t, <-taken)
		acc, err := space.Read(t.Context(), c, Account{Owner: "x"})
		require.NoError(t, err)
		require.Equal(t, 100, acc.Amount)
		require.ErrorIs(t, guest.Commit(t.Context()), space.ErrTxnEnded)
		closeAll(t, cl, n)
	})
}

func TestSpan_NeedsAHomeThatExists(t *testing.T) {
	t.Parallel()
	n, cl, a, b, _ := banks(t, node.Config{Durability: node.Memory})
	nowhere := txn.ID{Space: "nowhere", Number: 1}
	err := add(t.Context(), space.TxnOf(a, nowhere), b, 1)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, `no space "nowhere"`)
	_, err = b.Commit(t.Context(), nowhere, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorIs(t, b.Abort(t.Context(), nowhere), space.ErrInvalidArgument)
	require.ErrorIs(t, b.Rollback(t.Context(), nowhere), space.ErrInvalidArgument)
	require.ErrorIs(t, add(t.Context(), space.TxnOf(b, txn.ID{Space: "a", Number: 12345}), b, 1), space.ErrTxnEnded)
	require.NotContains(t, n.Names(), "nowhere")
	closeAll(t, cl, n)
}

func TestSpan_TransfersKeepTheSum(t *testing.T) {
	levels(t, func(t *testing.T, cfg node.Config) {
		n, cl, a, b, c := banks(t, cfg)
		spaces := []*client.Space{a, b, c}
		var all sync.WaitGroup
		for w := range 4 {
			all.Go(func() {
				for i := range 25 {
					from, to := spaces[(w+i)%3], spaces[(w+2*i+1)%3]
					if err := transferBetween(t.Context(), from, to, i%7); err != nil && !errors.Is(err, space.ErrTxnEnded) &&
						!errors.Is(err, space.ErrDeadlock) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		require.Equal(t, 300, amount(t, a)+amount(t, b)+amount(t, c))
		closeAll(t, cl, n)
		if cfg.Durability == node.Memory {
			return
		}
		n = open(t, cfg)
		cl, err := client.Dial(t.Context(), n.Addr())
		require.NoError(t, err)
		sum := 0
		for _, name := range []string{"a", "b", "c"} {
			sum += amount(t, cl.SpaceNamed(name))
		}
		require.Equal(t, 300, sum)
		closeAll(t, cl, n)
	})
}

// transferBetween moves money under a transaction whose home is from.
func transferBetween(ctx context.Context, from, to space.Space, n int) error {
	t, err := space.Begin(ctx, from, space.For(200*time.Millisecond))
	if err != nil {
		return err
	}
	if err := add(ctx, t, from, -n); err != nil {
		return err
	}
	if err := add(ctx, t, to, n); err != nil {
		return err
	}
	return t.Commit(ctx)
}
