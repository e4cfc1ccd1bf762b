package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// Transactions that have ended do not count as open, whichever of several connections their calls went over.
func TestTxn_EndedOnesAreNotOpen(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{Client: server.ClientLimits{Txns: 10}})
	c := n.dial(client.Config{Conns: 4})
	for range 200 {
		tx, err := space.Begin(t.Context(), c)
		require.NoError(t, err)
		_, err = space.Write(t.Context(), c, Order{"a", 1}, space.In(tx))
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		_, tx, err = space.TakeTxn(t.Context(), c, Order{})
		require.NoError(t, err)
		require.NoError(t, tx.Abort(t.Context()))
		_, tx, err = space.TakeTxn(t.Context(), c, Order{})
		require.NoError(t, err)
		require.NoError(t, space.Stage(t.Context(), tx, Order{"a", 2}))
		require.NoError(t, tx.Commit(t.Context()))
		_, err = space.Take(t.Context(), c, Order{})
		require.NoError(t, err)
	}
}
