package node_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// The tables of a dropped space stay complete, and are not mixed with those of another space of the same name; with the
// option to drop them they go.
func TestDrop_KeepsOrDropsTheTables(t *testing.T) {
	t.Parallel()
	_, dsn := spacetest.OwnPostgres(t)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	rows := func() (n int) {
		t.Helper()
		require.NoError(t, db.QueryRow(`SELECT count(*) FROM space_orders.parcel`).Scan(&n))
		return n
	}
	n := running(t, node.Config{Data: t.TempDir(), Postgres: dsn})
	admin, c := dial(t, n, "default"), dial(t, n, "orders")
	write := func(entries ...parcel) {
		t.Helper()
		_, err := space.WriteAll(t.Context(), c, entries)
		require.NoError(t, err)
	}
	status := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(string(n.Status()), want) }, time.Minute,
			10*time.Millisecond)
	}
	write(parcel{1}, parcel{2})
	require.NoError(t, admin.DropSpace(t.Context(), "orders", false))
	require.Equal(t, 2, rows(), "the mirror had time to catch up")

	write(parcel{3})
	status(`gospaces load`) // the mirror of the new space says what to do
	require.Equal(t, 2, rows())
	_, err = db.Exec(`CREATE VIEW mine AS SELECT * FROM space_orders.parcel`)
	require.NoError(t, err)
	err = admin.DropSpace(t.Context(), "orders", true)
	require.ErrorIs(t, err, space.ErrUnavailable)
	require.ErrorContains(t, err, `space "orders" is dropped, and its tables are not`)
	require.ErrorContains(t, err, "view mine depends on table space_orders.parcel")
	require.Equal(t, []string{"default"}, n.Names())
	require.Equal(t, 2, rows())
	_, err = db.Exec(`DROP VIEW mine`)
	require.NoError(t, err)
	require.NoError(t, admin.DropSpace(t.Context(), "orders", true), "what was left")
	require.ErrorIs(t, admin.DropSpace(t.Context(), "orders", true), space.ErrNoMatch)
	var left int
	require.NoError(t, db.QueryRow(`SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'space_orders')
		+ (SELECT count(*) FROM gospaces.kinds WHERE space = 'orders')
		+ (SELECT count(*) FROM gospaces.positions WHERE space = 'orders')`).Scan(&left))
	require.Zero(t, left)

	write(parcel{4})
	require.Eventually(t, func() bool {
		var got int
		return db.QueryRow(`SELECT id FROM space_orders.parcel`).Scan(&got) == nil && got == 4
	}, time.Minute, 10*time.Millisecond)
}
