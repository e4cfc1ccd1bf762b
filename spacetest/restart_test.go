package spacetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
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

// Crashes implements spacetest.Crasher.
func (r restarter) Crashes() {}

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

// TestCut_NobodyNotices cuts the connection again and again under calls with side effects: each succeeds, and exactly
// once.
func TestCut_NobodyNotices(t *testing.T) {
	t.Parallel()
	const workers, rounds, cuts = 4, 150, 10
	s := spacetest.Server(t, spacetest.ServerConfig{})
	sp := s.Dial(t)
	begun := make(chan struct{}, workers*rounds)
	ended := make(chan error, workers)
	for w := range workers {
		go func() {
			var err error
			for r := range rounds {
				begun <- struct{}{}
				err = errors.Join(err, redeem(t.Context(), sp, ticket{w + 1, r + 1}))
			}
			ended <- err
		}()
	}
	for range cuts {
		for range workers * rounds / cuts {
			<-begun
		}
		s.Cut()
	}
	for range workers {
		require.NoError(t, <-ended)
	}
	n, err := space.Count(t.Context(), sp, ticket{})
	require.NoError(t, err)
	require.Zero(t, n)
}

type ticket struct{ Worker, Round int }

// redeem writes a ticket and takes it back.
func redeem(ctx context.Context, sp space.Space, mine ticket) error {
	if _, err := space.Write(ctx, sp, mine); err != nil {
		return err
	}
	_, err := space.Take(ctx, sp, mine)
	return err
}
