package spacetest

import (
	"database/sql"
	"fmt"
	"testing"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// TestMirror kills a server under a random run, and stops it in good order in the end: the database then holds what the
// space held.
func TestMirror(t *testing.T) {
	t.Parallel()
	dsn := Postgres(t)
	s := Server(t, ServerConfig{Process: true, Postgres: dsn})
	k := &kit{T: t, ctx: t.Context(), sp: s.Dial(t)}
	restart := func() { s.Kill(); s.Start() }

	w := workload{
		clients: 4, calls: 150, keys: 3, colors: 3, crossKeys: true, txns: 40, updates: 7, unsteady: true,
		crashes: true,
	}
	judge(t, w, w.run(t, []space.Space{k.sp}, restart, restart))
	for i := range 100 {
		write(k, simple{fmt.Sprint(i % 7), i})
	}
	restart()
	for range 30 {
		take(k, simple{})
	}
	fleet(k)
	want := collect(k, simple{})
	s.Stop()

	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	require.ElementsMatch(t, want, rows(t, db))
	for table, n := range map[string]int{"simple": 70, "item": 0, "vehicle": 1, "car": 1, "van": 1, "bike": 1} {
		var got int
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM space_default.`+table).Scan(&got))
		require.Equal(t, n, got, table)
	}
}

// rows returns the table of simple entries.
func rows(t *testing.T, db *sql.DB) []simple {
	t.Helper()
	found, err := db.QueryContext(t.Context(), `SELECT name, id FROM space_default.simple`)
	require.NoError(t, err)
	defer found.Close()
	var vs []simple
	for found.Next() {
		var v simple
		require.NoError(t, found.Scan(&v.Name, &v.ID))
		vs = append(vs, v)
	}
	require.NoError(t, found.Err())
	return vs
}
