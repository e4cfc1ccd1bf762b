package writeback_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

const states = `SELECT concat_ws(' ', _id, _state, _holder, _attempts, extract(epoch FROM _visible)::bigint)
	FROM space_test."Job" ORDER BY _id`

func holdRecord(b []byte, id uint64, holder string) []byte {
	return record.AppendHold(b, &record.Held{Txn: 99, Entry: id, Kind: 1, Since: 1, Until: 2e18, Holder: holder})
}

// The columns show the availability of an entry.
func TestStates_ReadyHeldAndDelayed(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := mirrorJobs(t, cfg, 3)
		group := holdRecord(nil, 1, "a:1")
		group = holdRecord(group, 2, "b:2")
		x.follow(record.AppendPutLater(group, 4, 1, forever, 4e18, jobRow(t, 4, "later")))
		require.Equal(t, []string{"1 held a:1 0", "2 held b:2 0", "3 ready 0", "4 delayed 0 4000000000"},
			column(t, x.db, states))

		group = record.AppendRelease(nil, 1, 1, record.Gone, 3, 1)
		group = record.AppendDefer(group, 2, 1, 5, 3e18)
		group = record.AppendReveal(group, 4, 1)
		x.follow(record.AppendChange(group, 1, 1, forever, jobRow(t, 1, "changed")))
		require.Equal(t, []string{"1 ready 1", "2 delayed 5 3000000000", "3 ready 0", "4 ready 0"}, column(t, x.db, states))

		x.follow(record.AppendChange(nil, 2, 1, forever, jobRow(t, 2, "changed while it is delayed")))
		require.Equal(t, "2 delayed 5 3000000000", column(t, x.db, states)[1])
		x.requireComplete()
	})
}

// A job that is taken and held for less time than a batch gathers never reaches the database.
func TestStates_WhatPassesWithinABatchLeavesNoTrace(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	w, _ := start(t, log, writeback.Config{DSN: dsn, FlushInterval: 200 * time.Millisecond})
	follow(t, log, m, kindRecord(1, job))
	require.NoError(t, w.Flush(t.Context()))
	group := appendJobs(t, nil, 1, 100)
	for id := range uint64(99) {
		group = holdRecord(group, 1+id, "a")
		group = record.AppendRemove(group, 1+id, 1, record.Taken)
	}
	group = record.AppendRelease(holdRecord(group, 100, "a"), 100, 1, record.Cancelled, 3, 0)
	follow(t, log, m, group)
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	stats := w.Stats()
	require.EqualValues(t, []uint64{1, 0, 0}, []uint64{stats.RowsWritten, stats.RowsDeleted, stats.RowsRenewed})
}

// A kind without entries may get other classes for its fields.
func TestKinds_ClassesMayChange(t *testing.T) {
	for name, mode := range map[string]writeback.Mode{"mirror": writeback.Mirror, "archive": writeback.Append} {
		t.Run(name, func(t *testing.T) {
			overLanes(t, func(t *testing.T, cfg writeback.Config) {
				cfg.Modes = writeback.Modes{"Job": mode}
				x := mirrorJobs(t, cfg, 3)
				var group []byte
				for id := range uint64(3) {
					group = record.AppendRemove(group, 1+id, 1, record.Taken)
				}
				other := &template.Schema{
					Kind:   "Job",
					Fields: []template.Field{{Name: "id", Class: template.Int}, {Name: "state", Class: template.Float}},
				}
				group = append(group, kindRecord(1, other)...)
				x.follow(record.AppendPut(group, 4, 1, forever, row(t, other, map[string]any{"id": int64(4), "state": 1.5})))
				require.Equal(t, []string{"1.5"}, column(t, x.db, `SELECT state::text FROM space_test."Job" WHERE _id = 4`))
				if mode == writeback.Append {
					require.Equal(t, []string{"new", "new", "new"},
						column(t, x.db, `SELECT state_before FROM space_test."Job" WHERE _left IS NOT NULL`))
				}
				require.Zero(t, x.Stats().Failures)
			})
		})
	}
}
