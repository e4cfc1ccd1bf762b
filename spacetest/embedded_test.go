package spacetest_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestEmbedded runs the suite on spaces of nodes in this process, which are reached without a network.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	spacetest.Run(t, func(tb testing.TB) space.Space { return embed(tb).open(tb) })
}

// TestEmbedded_Guests does the same with transactions that begin in another space of the node.
func TestEmbedded_Guests(t *testing.T) {
	t.Parallel()
	spacetest.RunGuests(t, func(tb testing.TB) space.Space {
		n := embed(tb)
		return spacetest.Guest(tb, n.open(tb), n.open(tb))
	})
}

// embedding is a node without clients.
type embedding struct{ *node.Node }

func embed(tb testing.TB) embedding {
	n, err := node.Start(tb.Context(), node.Config{Data: tb.TempDir()})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, n.Close(context.WithoutCancel(tb.Context()))) })
	return embedding{n}
}

func (e embedding) open(tb testing.TB) space.Space {
	sp, err := e.Space(rand.Text())
	require.NoError(tb, err)
	return embedded{sp.(*local.Space), e}
}

// embedded is a space whose Close closes the node.
type embedded struct {
	*local.Space
	node embedding
}

// Close implements space.Space.
func (e embedded) Close() error { return e.node.Close(context.Background()) }
