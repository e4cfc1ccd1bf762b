package spacetest

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/postgres"
)

// databases is the PostgreSQL server that the tests of this process share.
var databases shared[*postgres.Server]

// shared is a value that is made when it is first asked for.
type shared[T any] struct {
	mu    sync.Mutex
	made  bool  // guarded by mu
	value T     // guarded by mu
	err   error // guarded by mu
}

// get returns the value, or the error with which making it has failed once.
func (s *shared[T]) get(make func() (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.made {
		s.made = true
		s.value, s.err = make()
	}
	return s.value, s.err
}

// release calls end with the value if there is one.
func (s *shared[T]) release(end func(T) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.made || s.err != nil {
		return nil
	}
	s.made = false
	return end(s.value)
}

// Postgres returns the DSN of an empty database, on a PostgreSQL server that the tests of this process share and Main stops. It
// skips the test where there is none and none can be started.
func Postgres(tb testing.TB) string {
	tb.Helper()
	server, err := databases.get(func() (*postgres.Server, error) {
		return postgres.Start(context.Background(), postgres.Config{})
	})
	if err != nil {
		tb.Skipf("no PostgreSQL server: %v", err)
	}
	dsn, err := server.NewDatabase(tb.Context())
	require.NoError(tb, err)
	return dsn
}

func stopPostgres() error { return databases.release((*postgres.Server).Stop) }
