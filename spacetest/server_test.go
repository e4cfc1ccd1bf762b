package spacetest_test

import (
	"crypto/rand"
	"testing"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

func TestMain(m *testing.M) { spacetest.Main(m) }

func TestServerInMemory(t *testing.T) {
	t.Parallel()
	spacetest.Run(t, dialServer(spacetest.ServerConfig{Durability: node.Memory}))
}

func TestServerWithLog(t *testing.T) {
	t.Parallel()
	spacetest.Run(t, dialServer(spacetest.ServerConfig{}))
}

// dialServer opens clients of servers of their own.
func dialServer(cfg spacetest.ServerConfig) func(testing.TB) space.Space {
	return func(tb testing.TB) space.Space { return spacetest.Server(tb, cfg).Dial(tb) }
}

func TestServerClients(t *testing.T) {
	t.Parallel()
	spacetest.RunClients(t, func(tb testing.TB) func() space.Space {
		s := spacetest.Server(tb, spacetest.ServerConfig{})
		return func() space.Space { return s.Dial(tb) }
	})
}

// TestServerGuests runs what the suite has to say about transactions on one space of a server, with transactions that
// begin in another one.
func TestServerGuests(t *testing.T) {
	t.Parallel()
	for _, level := range []string{node.Memory, node.Logged} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			spacetest.RunGuests(t, func(tb testing.TB) space.Space {
				c := spacetest.Server(tb, spacetest.ServerConfig{Durability: level}).Dial(tb)
				return spacetest.Guest(tb, c, c.SpaceNamed(rand.Text()))
			})
		})
	}
}
