package node_test

import (
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// A space of several partitions is mirrored like any other, over restarts, and its tables go with it.
func TestPartitions_AreMirrored(t *testing.T) {
	t.Parallel()
	dsn := spacetest.Postgres(t)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	rows := func() (n, customers int) {
		require.NoError(t, db.QueryRow(`SELECT (SELECT count(*) FROM space_jobs.parcel),
			(SELECT count(DISTINCT customer) FROM space_jobs.ordered)`).Scan(&n, &customers))
		return n, customers
	}
	cfg := node.Config{Data: t.TempDir(), Postgres: dsn}
	for round := range 2 {
		n := open(t, cfg)
		c := dial(t, n, "jobs")
		require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
		writeParcels(t, c, 30)
		for i := range 10 {
			_, err := space.Write(t.Context(), c, ordered{string(rune('a' + i)), i})
			require.NoError(t, err)
		}
		_, err := space.TakeAll(t.Context(), c, parcel{}, 10, space.NoWait())
		require.NoError(t, err)
		want := countParcels(t, c)
		var status struct {
			Spaces []struct {
				Name       string
				Partitions []struct{ Mirror *struct{ Connected bool } }
			}
		}
		require.Eventually(t, func() bool {
			require.NoError(t, json.Unmarshal(n.Status(), &status))
			for _, p := range status.Spaces[1].Partitions {
				if p.Mirror == nil || !p.Mirror.Connected {
					return false
				}
			}
			return len(status.Spaces[1].Partitions) == 3
		}, time.Minute, time.Millisecond)
		require.NoError(t, n.Close(t.Context()))
		parcels, customers := rows()
		require.Equal(t, want, parcels, "round %d", round)
		require.Equal(t, 10, customers)
	}
	c := dial(t, running(t, cfg), "jobs")
	require.NoError(t, c.DropSpace(t.Context(), "jobs", true))
	var left int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM gospaces.positions WHERE space = 'jobs'`).Scan(&left))
	require.Zero(t, left)
}
