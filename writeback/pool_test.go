package writeback_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/writeback"
)

func newPool(t *testing.T, dsn string, conns int) *writeback.Pool {
	t.Helper()
	p, err := writeback.NewPool(dsn, conns)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// connections counts the mirrors' connections to a database.
func connections(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
		AND application_name = 'gospaces writeback'`).Scan(&n)
	require.NoError(t, err)
	return n
}

// Many more mirrors than the server's 200 connections share a few, and use none when there is nothing to do.
func TestPool_ManyMirrorsShareFewConnections(t *testing.T) {
	t.Parallel()
	const spaces, conns = 100, 3
	dsn, db := newDatabase(t)
	pool := newPool(t, dsn, conns)
	writers, logs, models := make([]*writeback.Writer, spaces), make([]*memLog, spaces), make([]*model, spaces)
	for i := range spaces {
		logs[i], models[i] = newMemLog(), newModel()
		follow(t, logs[i], models[i], appendJobs(t, kindRecord(1, job), 1, 20))
		writers[i], _ = start(t, logs[i],
			writeback.Config{Pool: pool, Space: fmt.Sprintf("s%d", i), Lanes: 3, LaneRows: 1, PingInterval: time.Hour})
	}
	most := 0
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		for ctx.Err() == nil {
			most = max(most, connections(t, db))
		}
	})
	for i, w := range writers {
		require.NoError(t, w.Flush(t.Context()))
		follow(t, logs[i], models[i], appendJobs(t, nil, 21, 20))
	}
	for _, w := range writers {
		require.NoError(t, w.Flush(t.Context()))
		require.Zero(t, w.Stats().Failures)
		require.False(t, w.Stats().Waiting)
	}
	cancel()
	watch.Wait()
	require.LessOrEqual(t, most, conns)
	for i := range spaces {
		requireMirror(t, db, fmt.Sprintf("s%d", i), models[i])
	}
	require.Eventually(t, func() bool { return connections(t, db) == 0 }, time.Minute, 10*time.Millisecond)
}

// A space whose turn has not come reports that it waits, and stops at once meanwhile.
func TestPool_AMirrorThatWaitsForAConnectionSaysSo(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	pool := newPool(t, dsn, 1)
	x := &mirrored{t: t, dsn: dsn, db: db, log: newMemLog(), m: newModel()}
	x.Writer, _ = start(t, x.log, writeback.Config{Pool: pool, RetryMin: time.Millisecond})
	x.follow(appendJobs(t, kindRecord(1, job), 1, 10))
	unlock := lock(t, db, `SELECT FROM space_test."Job" WHERE _id = 5 FOR UPDATE`)
	follow(t, x.log, x.m, record.AppendRemove(nil, 5, 1, record.Taken))
	lockedLanes(t, db, 1, "DELETE")

	other, stop := start(t, newMemLog(), writeback.Config{Pool: pool, Space: "other"})
	require.Eventually(t, func() bool { return other.Stats().Waiting }, time.Minute, time.Millisecond)
	stop()
	unlock()
	require.NoError(t, x.Flush(t.Context()))
	x.requireComplete()
}

// Lanes of many spaces take free connections, and never wait for each other.
func TestPool_LanesOfManySpacesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	pool := newPool(t, dsn, 4)
	var all sync.WaitGroup
	for i := range 8 {
		space := fmt.Sprintf("s%d", i)
		log, g, m := newMemLog(), newGenerator(uint64(i)), newModel()
		w, _ := start(t, log,
			writeback.Config{Pool: pool, Space: space, Lanes: 4, LaneRows: 1, FlushInterval: time.Millisecond})
		all.Go(func() {
			for range 100 {
				follow(t, log, m, g.group(30))
			}
			if err := w.Flush(t.Context()); err != nil {
				t.Errorf("%s: %v", space, err)
			}
			if err := differs(db, space, m); err != nil {
				t.Errorf("%s: %v", space, err)
			}
		})
	}
	all.Wait()
}

func TestPool_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := writeback.NewPool("", 1)
	require.ErrorContains(t, err, "empty")
	_, err = writeback.NewPool("host=localhost", -1)
	require.ErrorContains(t, err, "from 1 to 1000")
}

// If the server admits fewer connections than the size of the pool, the pool works with those.
func TestPool_DoesWithTheConnectionsThatTheServerAdmits(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	var name string
	require.NoError(t, db.QueryRow(`SELECT current_database()`).Scan(&name))
	_, err := db.Exec(`CREATE ROLE few LOGIN CONNECTION LIMIT 2; GRANT ALL ON DATABASE ` + name + ` TO few`)
	require.NoError(t, err)
	pool := newPool(t, dsn+" user=few", 10)
	log, m := newMemLog(), newModel()
	group := kindRecord(1, job)
	for i := range 2000 {
		group = appendJobs(t, group, 1+10*i, 1)
	}
	follow(t, log, m, group)
	var writers []*writeback.Writer
	for i := range 6 {
		w, _ := start(t, log, writeback.Config{Pool: pool, Space: fmt.Sprintf("s%d", i), Lanes: 4, LaneRows: 1})
		writers = append(writers, w)
	}
	for i, w := range writers {
		require.NoError(t, w.Flush(t.Context()))
		requireMirror(t, db, fmt.Sprintf("s%d", i), m)
	}
}

// A pool that is made smaller closes what it has beyond that when it is returned, and one that is made larger serves
// those who wait.
func TestPool_CanBeResized(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	pool := newPool(t, dsn, 4)
	var x []*mirrored
	for i := range 4 {
		m := &mirrored{t: t, dsn: dsn, db: db, log: newMemLog(), m: newModel()}
		m.Writer, _ = start(t, m.log, writeback.Config{
			Pool: pool, Space: fmt.Sprintf("s%d", i), Lanes: 1, RetryMin: time.Millisecond, PingInterval: time.Hour,
		})
		m.follow(appendJobs(t, kindRecord(1, job), 1, 1))
		require.NoError(t, m.Flush(t.Context()))
		x = append(x, m)
	}
	pool.Resize(1)
	release := lock(t, db, `SELECT FROM gospaces.positions FOR UPDATE`)
	for _, m := range x {
		follow(t, m.log, m.m, appendJobs(t, nil, 2, 1))
	}
	require.Eventually(t, func() bool { return waiting(x) == 3 && connections(t, db) == 1 }, time.Minute, time.Millisecond)
	pool.Resize(3)
	require.Eventually(t, func() bool { return waiting(x) == 1 && connections(t, db) == 3 }, time.Minute, time.Millisecond)
	release()
	for _, m := range x {
		require.NoError(t, m.Flush(t.Context()))
	}
}

// waiting counts the mirrors that wait for a connection.
func waiting(x []*mirrored) (n int) {
	for _, m := range x {
		if m.Stats().Waiting {
			n++
		}
	}
	return n
}
