package writeback_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// A reader that has not ended its transaction keeps the mirror from adding a column; later readers do not wait, and the
// status names the reader.
func TestLocks_AChangeOfATableKeepsNobodyWaiting(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := mirrorJobs(t, cfg, 10)
		unlock := lock(t, x.db, `SELECT count(*) FROM space_test."Job"`)
		wider := &template.Schema{
			Kind:   "Job",
			Fields: append(job.Fields[:2:2], template.Field{Name: "extra", Class: template.Int}),
		}
		group := record.AppendPut(kindRecord(1, wider), 11, 1, forever, row(t, wider, map[string]any{"extra": int64(7)}))
		follow(t, x.log, x.m, group)
		requireBlocked(t, x, `SELECT count(*) FROM space_test."Job"`)

		failures := x.Stats().Failures
		// the mirror tries again and again; a reader waits for at most one attempt
		for x.Stats().Failures < failures+3 {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			var n int
			require.NoError(t, x.db.QueryRowContext(ctx, `SELECT count(*) FROM space_test."Job"`).Scan(&n))
			cancel()
			require.Equal(t, 10, n)
		}
		unlock()
		require.NoError(t, x.Flush(t.Context()))
		require.Nil(t, x.Stats().Blocked)
		require.True(t, x.Stats().Connected)
		x.requireComplete()
	})
}

// requireBlocked waits until the status names the query that blocks the mirror.
func requireBlocked(t *testing.T, x *mirrored, query string) {
	t.Helper()
	var by *writeback.Blocker
	require.Eventually(t, func() bool {
		by = x.Stats().Blocked
		return by != nil && x.Stats().Failures > 0
	}, time.Minute, time.Millisecond)
	require.Equal(t, query, by.Query)
	require.Equal(t, "idle in transaction", by.State)
	require.Positive(t, by.PID)
	require.Positive(t, by.Age)
	require.ErrorContains(t, x.Stats().LastError, "lock timeout")
}

func TestLocks_OfRowsAndTablesAreWaitedOut(t *testing.T) {
	for name, statement := range map[string]string{
		"row":   `SELECT _id FROM space_test."Job" WHERE _id = 5 FOR UPDATE`,
		"table": `LOCK TABLE space_test."Job" IN SHARE MODE`,
	} {
		t.Run(name, func(t *testing.T) {
			overLanes(t, func(t *testing.T, cfg writeback.Config) {
				x := mirrorJobs(t, cfg, 10)
				unlock := lock(t, x.db, statement)
				var group []byte
				for id := range uint64(6) {
					group = record.AppendRemove(group, 3+id, 1, record.Taken)
				}
				group = appendJobs(t, group, 11, 10)
				follow(t, x.log, x.m, group)
				requireBlocked(t, x, statement)
				var n int
				require.NoError(t, x.db.QueryRow(`SELECT count(*) FROM space_test."Job"`).Scan(&n)) // readers do not wait either
				unlock()
				require.NoError(t, x.Flush(t.Context()))
				x.requireComplete()
			})
		})
	}
}

// A mirror that waits for a lock stops at once, and its statement does not wait on in the server.
func TestLocks_AMirrorThatWaitsStopsAtOnce(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 10))
	require.NoError(t, w.Flush(t.Context()))
	unlock := lock(t, db, `SELECT FROM space_test."Job" WHERE _id = 5 FOR UPDATE`)
	follow(t, log, m, record.AppendRemove(nil, 5, 1, record.Taken))
	lockedLanes(t, db, 1, "DELETE")
	stop()
	lockedLanes(t, db, 0, "DELETE")
	unlock()
}
