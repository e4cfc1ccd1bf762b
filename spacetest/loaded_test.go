package spacetest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/load"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestLoad stops the server when the mirror has caught up, loses its folder, and makes another one of what the tables hold.
func TestLoad(t *testing.T) {
	t.Parallel()
	spacetest.RunLoaded(t, func(tb testing.TB) spacetest.Restarter {
		dsn := spacetest.Postgres(tb)
		s := spacetest.Server(tb, spacetest.ServerConfig{Postgres: dsn})
		return loader{tb, dsn, s, s.Dial(tb)}
	})
}

type loader struct {
	tb     testing.TB
	dsn    string
	server *spacetest.ServerHandle
	client *spacetest.Client
}

func (l loader) Space() space.Space { return l.client }

func (l loader) Restart() {
	l.tb.Helper()
	l.server.Stop()
	left, err := filepath.Glob(filepath.Join(l.server.Data(), "*"))
	require.NoError(l.tb, err)
	for _, path := range left {
		require.NoError(l.tb, os.RemoveAll(path))
	}
	loaded := 0
	require.NoError(l.tb, load.Folder(l.tb.Context(), load.Config{Dir: l.server.Data(), Postgres: l.dsn}, func(load.Space) error {
		loaded++
		return nil
	}))
	require.Equal(l.tb, 1, loaded)
	l.server.Start()
}
