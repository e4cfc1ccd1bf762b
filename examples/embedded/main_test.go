package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	addr, ended := make(chan string, 1), make(chan error, 1)
	cfg := node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	go func() { ended <- run(ctx, cfg, func(a string) { addr <- a }) }()

	c, err := client.Dial(t.Context(), <-addr)
	require.NoError(t, err)
	defer c.Close()
	orders := c.SpaceNamed("orders")
	_, err = space.Write(t.Context(), orders, Order{ID: 7, Cents: 1250})
	require.NoError(t, err)
	receipt, err := space.Take(t.Context(), orders, Receipt{OrderID: 7})
	require.NoError(t, err)
	require.Equal(t, "order 7: 12.50 paid", receipt.Text)

	stop()
	require.NoError(t, <-ended)
}
