package writeback_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/writeback"
)

func TestParseModes(t *testing.T) {
	t.Parallel()
	modes, err := writeback.ParseModes("audit=append, orders/draft = none,a=b=mirror")
	require.NoError(t, err)
	require.Equal(t, writeback.Modes{"audit": writeback.Append, "orders/draft": writeback.None, "a=b": writeback.Mirror},
		modes)
	for list, want := range map[string]string{
		"audit":              `"audit" is not of the form kind=mode`,
		"=append":            `"=append" is not of the form kind=mode`,
		"a=append,b=archive": `"b=archive": no mode "archive"; there are mirror, append, none`,
		"a=append,":          `"" is not of the form kind=mode`,
	} {
		_, err := writeback.ParseModes(list)
		require.EqualError(t, err, want)
	}
}

// modesOfKinds gives one kind of the random programs each mode.
var modesOfKinds = writeback.Modes{"Kind 1": writeback.Append, "Kind 2": writeback.None}

func TestModes_OfRandomPrograms(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		for seed := range uint64(2) {
			dsn, db := newDatabase(t)
			log, g, m := newMemLog(), newGenerator(200+seed), newModel()
			m.modes = modesOfKinds
			cfg.DSN, cfg.Modes, cfg.BatchRecords = dsn, modesOfKinds, 100<<(2*seed)
			w, stop := start(t, log, cfg)
			for i := range 100 {
				follow(t, log, m, g.group(1+g.IntN(50)))
				if i%30 != 0 {
					continue
				}
				require.NoError(t, w.Flush(t.Context()))
				requireMirror(t, db, "test", m)
				stop()
				w, stop = start(t, log, cfg)
			}
			require.NoError(t, w.Flush(t.Context()))
			requireMirror(t, db, "test", m)
			require.Equal(t, []string{""}, column(t, db, `SELECT DISTINCT table_name FROM gospaces.kinds WHERE name = 'Kind 2'`))
			require.Equal(t, []string{"false"}, column(t, db, `SELECT bool_or(relname = 'Kind 2') FROM pg_class`))
			stop()
		}
	})
}

func TestModes_AnArchiveTellsWhenAndHowAnEntryLeft(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log := newMemLog()
	w, _ := start(t, log,
		writeback.Config{DSN: dsn, Modes: writeback.Modes{"*": writeback.Append, "other/Job": writeback.None}})
	begin := time.Now()
	log.Append(appendJobs(t, kindRecord(1, job), 1, 6))
	require.NoError(t, w.Flush(t.Context()))
	group := appendJobs(t, nil, 7, 1)
	group = record.AppendChange(group, 1, 1, forever, jobRow(t, 1, "changed"))
	group = record.AppendTake(group, record.Take, 1, 1, 2, 1)
	group = record.AppendRemove(group, 3, 1, record.Expired)
	group = record.AppendRemove(group, 4, 1, record.Cancelled)
	group = record.AppendChange(group, 5, 1, forever, jobRow(t, 5, "done"))
	group = record.AppendRemove(group, 5, 1, record.Taken)
	log.Append(record.AppendRemove(group, 7, 1, record.Taken)) // it comes and goes within a batch
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t,
		[]string{"1 changed -", "2 new taken", "3 new expired", "4 new cancelled", "5 done taken", "6 new -", "7 new taken"},
		column(t, db, `SELECT concat_ws(' ', _id, state, coalesce(_how, '-')) FROM space_test."Job" ORDER BY _id`))
	var first, last time.Time
	require.NoError(t, db.QueryRow(`SELECT min(_left), max(_left) FROM space_test."Job"`).Scan(&first, &last))
	require.WithinRange(t, first, begin.Truncate(time.Microsecond), time.Now())
	require.Equal(t, first, last, "one group of the log")
}

// Modes may change from run to run. An archive keeps its rows; missing rows are filled in.
func TestModes_MayChange(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log := newMemLog()
	first := 1
	// run adds two jobs in some mode, removes the first, and returns the rows.
	run := func(mode writeback.Mode) []string {
		t.Helper()
		w, stop := start(t, log, writeback.Config{DSN: dsn, Modes: writeback.Modes{"Job": mode}})
		defer stop()
		log.Append(appendJobs(t, kindRecord(1, job), first, 2))
		require.NoError(t, w.Flush(t.Context()))
		log.Append(record.AppendRemove(nil, uint64(first), 1, record.Taken))
		first += 2
		require.NoError(t, w.Flush(t.Context()))
		if mode == writeback.None {
			return column(t, db, `SELECT mode || ' ' || table_name FROM gospaces.kinds`)
		}
		return column(t, db, `SELECT _id || coalesce(j ->> '_how', '') FROM space_test."Job" t, to_jsonb(t) j ORDER BY _id`)
	}
	require.Equal(t, []string{"none "}, run(writeback.None))
	require.Equal(t, []string{"2", "4"}, run(writeback.Mirror))
	require.Equal(t, []string{"2", "4", "5taken", "6"}, run(writeback.Append))
	require.Equal(t, []string{"2", "4", "5taken", "6", "8"}, run(writeback.Mirror))
	require.Equal(t, []string{"2", "4", "5taken", "6", "8", "9taken", "10"}, run(writeback.Append))
	require.Equal(t, []string{"none Job"}, run(writeback.None))
	require.Equal(t, []string{"2", "4", "6", "8", "10", "12", "14"}, run(writeback.Mirror))
}
