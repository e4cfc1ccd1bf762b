package writeback_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// tablesOf returns the names of the tables of space test, without that of dead letters.
func tablesOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return column(t, db,
		`SELECT tablename FROM pg_tables WHERE schemaname = 'space_test' AND tablename <> '_dead_letters' ORDER BY tablename`)
}

// dropJobs appends to b the removal of n jobs and of their kind.
func dropJobs(b []byte, kind uint32, first, n int) []byte {
	for i := range n {
		b = record.AppendRemove(b, uint64(first+i), kind, record.Taken)
	}
	return record.AppendDrop(b, kind)
}

func TestDropped_TheTableGoesWithItsKind(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := mirrorJobs(t, cfg, 10)
		follow(t, x.log, x.m, dropJobs(nil, 1, 1, 10))
		require.NoError(t, x.Flush(t.Context()))
		require.Empty(t, tablesOf(t, x.db))
		require.Equal(t, []string{"Job mirror  true"},
			column(t, x.db, `SELECT concat_ws(' ', name, mode, table_name, (dropped_at <= now())::text) FROM gospaces.kinds`))

		// A kind that is created again has a table of its name, with its new fields.
		other := &template.Schema{Kind: "Job", Fields: []template.Field{{Name: "id", Class: template.String}}}
		follow(t, x.log, x.m,
			record.AppendPut(kindRecord(2, other), 11, 2, forever, row(t, other, map[string]any{"id": "x"})))
		require.NoError(t, x.Flush(t.Context()))
		require.Equal(t, []string{"Job"}, tablesOf(t, x.db))
		x.requireComplete()
		require.Zero(t, x.Stats().Failures)
	})
}

// One group of the log may create and drop kinds repeatedly.
func TestDropped_KindsThatComeAndGoAtOnce(t *testing.T) {
	for _, mode := range []writeback.Mode{writeback.Mirror, writeback.Append, writeback.None} {
		t.Run(mode.String(), func(t *testing.T) {
			overLanes(t, func(t *testing.T, cfg writeback.Config) {
				cfg.Modes = writeback.Modes{"Job": mode}
				x := mirrorJobs(t, cfg, 3)
				x.m.modes = cfg.Modes
				group := dropJobs(nil, 1, 1, 3)
				for kind := uint32(2); kind < 5; kind++ {
					group = append(group, kindRecord(kind, job)...)
					group = record.AppendPut(group, uint64(kind)+10, kind, forever, jobRow(t, 1, "new"))
					group = dropJobs(group, kind, int(kind)+10, 1)
				}
				group = append(group, kindRecord(5, job)...)
				group = record.AppendPut(group, 20, 5, forever, jobRow(t, 1, "new"))
				follow(t, x.log, x.m, group)
				require.NoError(t, x.Flush(t.Context()))
				x.requireComplete()
				require.Equal(t, map[writeback.Mode][]string{
					writeback.Mirror: {"Job"}, writeback.None: nil,
					writeback.Append: {"Job", "Job_dropped_1", "Job_dropped_2", "Job_dropped_3", "Job_dropped_4"},
				}[mode], tablesOf(t, x.db))
				require.Zero(t, x.Stats().Failures)
			})
		})
	}
}

// A table on which something depends, or with rows that the space does not have, is kept.
func TestDropped_WhatHasSomethingIsSetAside(t *testing.T) {
	for name, prepare := range map[string]string{
		"view":        `CREATE VIEW public.jobs AS SELECT * FROM space_test."Job"`,
		"foreign key": `CREATE TABLE public.child (job bigint REFERENCES space_test."Job")`,
		"row":         `INSERT INTO space_test."Job" (_id, _state, _attempts) VALUES (1000, 'mine', 0)`,
	} {
		t.Run(name, func(t *testing.T) {
			overLanes(t, func(t *testing.T, cfg writeback.Config) {
				x := mirrorJobs(t, cfg, 10)
				_, err := x.db.Exec(prepare)
				require.NoError(t, err)
				follow(t, x.log, x.m, append(dropJobs(nil, 1, 1, 10), kindRecord(2, job)...))
				require.NoError(t, x.Flush(t.Context()))
				require.Equal(t, []string{"Job", "Job_dropped_1"}, tablesOf(t, x.db))
				require.Equal(t, []string{"Job_dropped_1", "Job"},
					column(t, x.db, `SELECT table_name FROM gospaces.kinds ORDER BY kind`))
				x.requireComplete()
			})
		})
	}
}

// A reader in a transaction keeps only the table: rows are still mirrored, and later readers do not wait.
func TestDropped_AReaderKeepsOnlyTheTable(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := mirrorJobs(t, cfg, 10)
		unlock := lock(t, x.db, `SELECT count(*) FROM space_test."Job"`)
		other := &template.Schema{Kind: "Other", Fields: job.Fields}
		follow(t, x.log, x.m, append(dropJobs(nil, 1, 1, 10), kindRecord(2, other)...))
		for i := range uint64(3) {
			require.NoError(t, x.Flush(t.Context()))
			x.requireComplete()
			follow(t, x.log, x.m, record.AppendPut(nil, 100+i, 2, forever, jobRow(t, 1, "new")))
		}
		require.Contains(t, tablesOf(t, x.db), "Job")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, x.db.QueryRowContext(ctx, `SELECT count(*) FROM space_test."Job"`).Scan(new(int)))
		unlock()
		require.Eventually(t, func() bool { return len(tablesOf(t, x.db)) == 1 }, time.Minute, 10*time.Millisecond)
		require.NoError(t, x.Flush(t.Context()))
		x.requireComplete()
		require.Zero(t, x.Stats().Failures)
	})
}

// The mirror has marked the kind as dropped, and is killed before it drops the table.
func TestDropped_AnInterruptedDropIsFinished(t *testing.T) {
	t.Parallel()
	for _, table := range []string{`"Job"`, `gone`} {
		dsn, db := newDatabase(t)
		log, m := newMemLog(), newModel()
		follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 10))
		w, stop := start(t, log, writeback.Config{DSN: dsn})
		require.NoError(t, w.Flush(t.Context()))
		unlock := lock(t, db, `SELECT count(*) FROM space_test."Job"`)
		follow(t, log, m, dropJobs(nil, 1, 1, 10))
		require.NoError(t, w.Flush(t.Context()))
		stop()
		unlock()
		require.Equal(t, []string{"Job true"},
			column(t, db, `SELECT concat_ws(' ', table_name, (dropped_at IS NOT NULL)::text) FROM gospaces.kinds`))
		if table == "gone" { // dropped by hand meanwhile
			_, err := db.Exec(`DROP TABLE space_test."Job"`)
			require.NoError(t, err)
		}
		follow(t, log, m, record.AppendPut(kindRecord(2, job), 11, 2, forever, jobRow(t, 1, "new")))
		w, _ = start(t, log, writeback.Config{DSN: dsn})
		require.NoError(t, w.Flush(t.Context()))
		requireMirror(t, db, "test", m)
		require.Equal(t, []string{"", "Job"}, column(t, db, `SELECT table_name FROM gospaces.kinds ORDER BY kind`))
		require.Equal(t, []string{"Job"}, tablesOf(t, db))
		requireLoadable(t, dsn, 0, m)
	}
}

// An archive that was set aside has no owner: neither a kind of its name nor a rebuilt catalog takes it over.
func TestDropped_ALostCatalogDoesNotTakeAnArchive(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	m.modes = writeback.Modes{"Job": writeback.Append}
	follow(t, log, m, dropJobs(appendJobs(t, kindRecord(1, job), 1, 3), 1, 1, 3))
	follow(t, log, m, record.AppendPut(kindRecord(2, job), 4, 2, forever, jobRow(t, 1, "new")))
	w, stop := start(t, log, writeback.Config{DSN: dsn, Modes: m.modes})
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	stop()
	_, err := db.Exec(`DELETE FROM gospaces.kinds`)
	require.NoError(t, err)
	w, _ = start(t, log, writeback.Config{DSN: dsn, Modes: m.modes})
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	require.Equal(t, []string{"Job", "Job_dropped_1"}, tablesOf(t, db))
}
