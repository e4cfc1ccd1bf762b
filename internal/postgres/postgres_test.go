package postgres_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/postgres"
)

// The test binary doubles as a program that starts a server and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("POSTGRES_TEST_CHILD") != "" {
		server, err := postgres.Start(context.Background(), postgres.Config{Out: os.Stderr})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(server.DSN())
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T) *postgres.Server {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{Out: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() }) // fails if the server is gone
	return db
}

func TestServer_KillAndRestartKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	server := start(t)
	dsn, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	db := open(t, dsn)
	_, err = db.Exec(`CREATE TABLE t AS SELECT 1 AS n`)
	require.NoError(t, err)

	for range 3 {
		if err := server.Kill(); err != nil {
			require.ErrorIs(t, err, postgres.ErrNotOurs)
			t.Skip(err)
		}
		require.Error(t, db.Ping())
		require.NoError(t, server.Restart(t.Context()))
		var n int
		require.NoError(t, db.QueryRow(`SELECT n FROM t`).Scan(&n))
		require.Equal(t, 1, n)
	}
}

func TestServer_PauseKeepsConnectionsAndAnswersNothing(t *testing.T) {
	t.Parallel()
	server := start(t)
	db := open(t, server.DSN())
	require.NoError(t, db.Ping())
	if err := server.Pause(); err != nil {
		require.ErrorIs(t, err, postgres.ErrNotOurs)
		t.Skip(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- db.Ping() }()
	select {
	case err := <-answered:
		t.Fatal("a paused server answered", err)
	case <-time.After(20 * time.Millisecond): // a later answer would only come after Continue
	}
	require.NoError(t, server.Continue())
	require.NoError(t, <-answered)
}

func TestServer_StopIsIdempotentAndDeletesTheData(t *testing.T) {
	t.Parallel()
	server := start(t)
	dsn, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	require.NoError(t, server.Stop())
	require.NoError(t, server.Stop())
	require.Error(t, open(t, dsn).Ping())
}

func TestNewDatabase_IsItsOwn(t *testing.T) {
	t.Parallel()
	server := start(t)
	for range 2 {
		dsn, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		_, err = open(t, dsn).Exec(`CREATE TABLE t ()`)
		require.NoError(t, err)
	}
}

func TestServer_EndsWithTheProcessThatStartedIt(t *testing.T) {
	t.Parallel()
	if os.Getenv(postgres.EnvDSN) != "" {
		t.Skip("nothing is started")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(program)
	child.Env = append(os.Environ(), "POSTGRES_TEST_CHILD=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	dsn := strings.TrimSpace(line)
	require.NoError(t, open(t, dsn).Ping())

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Eventually(t, func() bool {
		db, err := sql.Open("postgres", dsn)
		require.NoError(t, err)
		defer db.Close()
		return db.Ping() != nil
	}, time.Minute, 10*time.Millisecond)
	host, _, _ := strings.Cut(strings.TrimPrefix(dsn, "host="), " ")
	require.NoError(t, os.RemoveAll(host)) // later runs would do this
}

func TestStart_UsesTheServerOfTheEnvironment(t *testing.T) {
	server := start(t)
	t.Setenv(postgres.EnvDSN, server.DSN())
	other := start(t)
	require.Equal(t, server.DSN(), other.DSN())
	require.ErrorIs(t, other.Kill(), postgres.ErrNotOurs)

	dsn, err := other.NewDatabase(t.Context())
	require.NoError(t, err)
	require.NoError(t, open(t, dsn).Ping())
	require.NoError(t, other.Stop())
	require.Error(t, open(t, dsn).Ping())
	require.NoError(t, open(t, server.DSN()).Ping())
}

func TestStart_SaysSoWhenTheServerOfTheEnvironmentIsAway(t *testing.T) {
	t.Setenv(postgres.EnvDSN, "host="+t.TempDir()+" dbname=postgres sslmode=disable")
	_, err := postgres.Start(t.Context(), postgres.Config{})
	require.ErrorContains(t, err, "$"+postgres.EnvDSN)
}
