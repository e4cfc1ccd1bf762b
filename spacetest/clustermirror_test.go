package spacetest_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// shipment is what the tests of mirrors write, each several times.
type shipment struct {
	Customer string `space:"customer,route"`
	Number   int
	State    string
}

func (shipment) Kind() string { return "shipment" }

// inTables returns what the tables of a space have.
func inTables(ctx context.Context, db *sql.DB, space string) (all []shipment, err error) {
	rows, err := db.QueryContext(ctx, `SELECT customer, number, state FROM space_`+space+`.shipment`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p shipment
		if err := rows.Scan(&p.Customer, &p.Number, &p.State); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return sortShipments(all), rows.Err()
}

func inSpace(ctx context.Context, sp space.Space) (all []shipment, err error) {
	for p, err := range space.Contents(ctx, sp, shipment{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return sortShipments(all), nil
}

func sortShipments(all []shipment) []shipment {
	slices.SortFunc(all, func(a, b shipment) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// requireTables waits until the tables of a space, in which nothing happens any more, are what it is.
func requireTables(t *testing.T, db *sql.DB, name string, sp space.Space) {
	t.Helper()
	want, err := inSpace(t.Context(), sp)
	require.NoError(t, err)
	require.NotEmpty(t, want)
	for {
		got, err := inTables(t.Context(), db, name)
		if err == nil && slices.Equal(want, got) {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond): // until the next look
		case <-t.Context().Done():
			t.Fatalf("space %q has %d parcels, its tables %d, %v", name, len(want), len(got), err)
		}
		if t.Failed() {
			return
		}
	}
}

// ship writes parcels and changes them, and takes most, until ctx ends.
func ship(ctx context.Context, t *testing.T, sp space.Space, customer string) {
	for n := 1; ctx.Err() == nil; n++ {
		var some []shipment
		for i := range 5 {
			some = append(some, shipment{fmt.Sprintf("%s %d", customer, i), n, "new"})
		}
		if _, err := space.WriteAll(t.Context(), sp, some); err != nil {
			t.Errorf("write: %v", err)
			return
		}
		for i := range 4 {
			p, tx, err := space.TakeTxn(t.Context(), sp, some[i])
			if err == nil {
				p.State = "sent"
				if _, err = space.Write(t.Context(), sp, p, space.In(tx)); err == nil && i > 0 {
					err = tx.Commit(t.Context())
				} else {
					_ = tx.Abort(t.Context())
				}
			}
			if err != nil {
				continue // a failover may end it
			}
		}
		_, _ = space.Take(t.Context(), sp, some[4], space.NoWait())
	}
}

// Whatever happens to the nodes, the tables become what the spaces are, also those of several partitions, and no node
// that was replaced takes the mirror for one of another log.
func TestFailover_TheTablesBecomeWhatTheSpacesAre(t *testing.T) {
	t.Parallel()
	dsn := spacetest.Postgres(t)
	f := newFailoverOf(t, spacetest.ClusterConfig{Postgres: dsn, SnapshotBytes: 256 << 10})
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, f.sp.CreateSpace(t.Context(), "parcels", client.Partitions(3)))
	spaces := map[string]*client.Client{"default": f.sp}
	spaces["parcels"], err = client.DialConfig(t.Context(), client.Config{Addr: f.Addrs(), Space: "parcels"})
	require.NoError(t, err)
	defer spaces["parcels"].Close()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var shipping sync.WaitGroup
	for name, sp := range spaces {
		shipping.Go(func() { ship(ctx, t, sp, name) })
	}
	for range failures() {
		f.kill()
		f.freeze()
		f.restart()
	}
	stop()
	shipping.Wait()
	for name, sp := range spaces {
		requireTables(t, db, name, sp)
	}
	for _, n := range f.Nodes {
		n.Stop()
		require.NotContains(t, n.Log(), "the mirror has stopped", n.Name)
		require.NotContains(t, n.Log(), "mirror_incomplete", n.Name)
	}
}
