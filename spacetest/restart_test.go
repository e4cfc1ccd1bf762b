package spacetest_test

import (
	"testing"

	"github.com/gospaces/gospaces/internal/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestKill ends the server's process with SIGKILL.
func TestKill(t *testing.T) {
	t.Parallel()
	spacetest.RunRestart(t, func(tb testing.TB) spacetest.Restarter {
		s := spacetest.Server(tb, spacetest.ServerConfig{Process: true})
		return restarter{s, s.Dial(tb), s.Kill}
	})
}

// TestStop ends the server in good order.
func TestStop(t *testing.T) {
	t.Parallel()
	spacetest.RunRestart(t, func(tb testing.TB) spacetest.Restarter {
		s := spacetest.Server(tb, spacetest.ServerConfig{Durability: node.Synced})
		return restarter{s, s.Dial(tb), s.Stop}
	})
}

type restarter struct {
	server *spacetest.ServerHandle
	client *spacetest.Client
	end    func()
}

func (r restarter) Space() space.Space { return r.client }

func (r restarter) Restart() {
	r.end()
	r.server.Start()
}

// TestCut cuts the connections and leaves the server alone.
func TestCut(t *testing.T) {
	t.Parallel()
	spacetest.RunRestart(t, func(tb testing.TB) spacetest.Restarter {
		s := spacetest.Server(tb, spacetest.ServerConfig{Durability: node.Memory})
		return cutter{s.Dial(tb), s.Cut}
	})
}

type cutter struct {
	client *spacetest.Client
	cut    func()
}

func (c cutter) Space() space.Space { return c.client }

func (c cutter) Restart() { c.cut() }

// TestKillWithMirror is TestKill with a database behind the space.
func TestKillWithMirror(t *testing.T) {
	t.Parallel()
	spacetest.RunRestart(t, func(tb testing.TB) spacetest.Restarter {
		s := spacetest.Server(tb, spacetest.ServerConfig{Process: true, Postgres: spacetest.Postgres(tb)})
		return restarter{s, s.Dial(tb), s.Kill}
	})
}
