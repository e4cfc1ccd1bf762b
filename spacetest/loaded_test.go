package spacetest_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/load"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestLoad stops the server when the mirror has caught up, loses its folder, and makes another one of what the tables
// hold.
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
	require.NoError(l.tb,
		load.Folder(l.tb.Context(), load.Config{Dir: l.server.Data(), Postgres: l.dsn}, func(load.Space) error {
			loaded++
			return nil
		}))
	require.Equal(l.tb, 1, loaded)
	l.server.Start()
}

// TestLoad_Killed kills the server again and again while its mirror takes the tables over: in the end they equal the
// space.
func TestLoad_Killed(t *testing.T) {
	t.Parallel()
	dsn := spacetest.Postgres(t)
	s := spacetest.Server(t, spacetest.ServerConfig{Process: true, Postgres: dsn})
	type job struct{ ID int }
	var jobs []job
	for i := range 1000 {
		jobs = append(jobs, job{i})
	}
	sp := s.Dial(t)
	_, err := space.WriteAll(t.Context(), sp, jobs)
	require.NoError(t, err)
	l := loader{t, dsn, s, sp}
	l.Restart()
	for range 5 {
		s.Kill()
		s.Start()
	}
	taken, err := space.TakeAll(t.Context(), sp, job{}, 400)
	require.NoError(t, err)
	require.Equal(t, jobs[:400], taken)
	s.Kill()
	s.Start()
	_, err = space.Write(t.Context(), sp, job{-1})
	require.NoError(t, err)
	s.Stop()

	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT id FROM space_default.job ORDER BY _id`)
	require.NoError(t, err)
	defer rows.Close()
	var got []job
	for rows.Next() {
		var j job
		require.NoError(t, rows.Scan(&j.ID))
		got = append(got, j)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, append(jobs[400:], job{-1}), got)
}
