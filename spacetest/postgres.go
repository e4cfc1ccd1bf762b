package spacetest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/postgres"
)

// databases is the PostgreSQL server that the tests of this process share.
var databases shared[*postgres.Server]

// Postgres returns the DSN of an empty database, on a PostgreSQL server that the tests of this process share and Main
// stops. It skips the test where there is none and none can be installed; it fails one whose server is named by
// GOSPACES_POSTGRES, or found, and does not answer.
func Postgres(tb testing.TB) string {
	tb.Helper()
	server, err := databases.get(func() (*postgres.Server, error) {
		return postgres.Start(context.Background(), postgres.Config{})
	})
	if errors.Is(err, postgres.ErrNoServer) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	dsn, err := server.NewDatabase(tb.Context())
	require.NoError(tb, err)
	return dsn
}

// OwnPostgres returns a PostgreSQL server of the test alone, which it may stop and start again, and the DSN of an empty
// database on it.
func OwnPostgres(tb testing.TB) (*postgres.Server, string) {
	tb.Helper()
	pg, err := postgres.Start(tb.Context(), postgres.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, pg.Stop()) })
	dsn, err := pg.NewDatabase(tb.Context())
	require.NoError(tb, err)
	return pg, dsn
}

func stopPostgres() error { return databases.release((*postgres.Server).Stop) }
