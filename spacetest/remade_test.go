package spacetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestRemade_Volatile ends the process of a server that keeps nothing.
func TestRemade_Volatile(t *testing.T) {
	t.Parallel()
	spacetest.RunRemade(t, func(tb testing.TB) spacetest.Restarter {
		s := spacetest.Server(tb, spacetest.ServerConfig{Process: true, Durability: node.Memory})
		return restarter{s, s.Dial(tb), s.Kill}
	})
}

// TestRemade_Dropped drops the space, whose clients go on.
func TestRemade_Dropped(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{node.Memory, node.Logged} {
		t.Run(durability, func(t *testing.T) {
			t.Parallel()
			spacetest.RunRemade(t, func(tb testing.TB) spacetest.Restarter {
				s := spacetest.Server(tb, spacetest.ServerConfig{Durability: durability})
				return dropper{tb, s.Dial(tb)}
			})
		})
	}
}

type dropper struct {
	tb     testing.TB
	client *spacetest.Client
}

func (d dropper) Space() space.Space { return d.client.SpaceNamed("dropped") }

func (d dropper) Restart() {
	require.NoError(d.tb, d.client.DropSpace(d.tb.Context(), "dropped", false))
}
