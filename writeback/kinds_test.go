package writeback_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// manyKinds appends n kinds to a log, with an entry each.
func manyKinds(t *testing.T, log *memLog, m *model, n int) {
	t.Helper()
	for kind := 1; kind <= n; {
		var group []byte
		for end := min(kind+99, n); kind <= end; kind++ {
			s := &template.Schema{Kind: fmt.Sprintf("Kind %d", kind), Fields: job.Fields}
			group = append(group, kindRecord(uint32(kind), s)...)
			group = record.AppendPut(group, uint64(kind), uint32(kind), forever, row(t, s, map[string]any{"id": int64(kind)}))
		}
		follow(t, log, m, group)
	}
}

// One transaction of the throwaway PostgreSQL cannot create so many tables, and creating one does not examine the
// others.
func TestKinds_Thousands(t *testing.T) {
	t.Parallel()
	const kinds = 1500
	dsn, db := newDatabase(t)
	log, m := &shortLog{memLog: newMemLog()}, newModel()
	manyKinds(t, log.memLog, m, kinds)
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	require.Zero(t, w.Stats().Failures)
	group := record.AppendRemove(nil, 7, 7, record.Taken)
	group = record.AppendRenew(group, 8, 8, 77)
	follow(t, log.memLog, m, record.AppendRenew(group, 5000, 0, 77)) // a registration
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	stop()

	// All of them come at once if the log has lost its beginning.
	dsn, db = newDatabase(t)
	log.purge(10, 0)
	w, _ = start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	require.Zero(t, w.Stats().Failures)
}
