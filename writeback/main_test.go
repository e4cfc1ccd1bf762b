package writeback_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/postgres"
)

// server runs while any test does; each test has its own database.
var server *postgres.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(childEnv) != "" {
		return child()
	}
	var err error
	if server, err = postgres.Start(context.Background(), postgres.Config{Out: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop()
	return m.Run()
}

// newDatabase returns the DSN of a fresh database and a pool for it.
func newDatabase(t testing.TB) (string, *sql.DB) {
	t.Helper()
	dsn, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	return dsn, connect(t, dsn)
}

func connect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}
