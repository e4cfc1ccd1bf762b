package writeback_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/writeback"
)

// damages are changes by others to the tables of jobs and of the catalog.
var damages = map[string]string{
	"table dropped":  `DROP TABLE space_test."Job"`,
	"table renamed":  `DROP TABLE IF EXISTS space_test."Task"; ALTER TABLE space_test."Job" RENAME TO "Task"`,
	"schema dropped": `DROP SCHEMA space_test CASCADE`,
	"column dropped": `ALTER TABLE space_test."Job" DROP COLUMN state`,
	"column renamed": `ALTER TABLE space_test."Job" DROP COLUMN IF EXISTS status;
		ALTER TABLE space_test."Job" RENAME COLUMN state TO status`,
	"identity dropped": `ALTER TABLE space_test."Job" DROP COLUMN _id`,
	"expiry dropped":   `ALTER TABLE space_test."Job" DROP COLUMN _expires`,
	"as before load":   `ALTER TABLE space_test."Job" DROP COLUMN IF EXISTS _exact, DROP COLUMN IF EXISTS _visible`,
	"key dropped":      `ALTER TABLE space_test."Job" DROP CONSTRAINT IF EXISTS "Job_pkey"`,
	"text made integer": `UPDATE space_test."Job" SET state = '1'; ALTER TABLE space_test."Job"
		ALTER COLUMN state TYPE int USING state::int`,
	"text made short":    `ALTER TABLE space_test."Job" ALTER COLUMN state TYPE varchar(5) USING left(state, 5)`,
	"integer made text":  `ALTER TABLE space_test."Job" ALTER COLUMN id TYPE text`,
	"integer made small": `ALTER TABLE space_test."Job" ALTER COLUMN id TYPE smallint USING id % 1000`,
	"integer made bool":  `ALTER TABLE space_test."Job" ALTER COLUMN id TYPE bool USING true`,
	"expiry made a date": `ALTER TABLE space_test."Job" ALTER COLUMN _expires TYPE date`,
	"catalog dropped":    `DROP SCHEMA gospaces CASCADE`,
	"positions dropped":  `DROP TABLE gospaces.positions`,
	"kinds dropped":      `DROP TABLE IF EXISTS gospaces.kinds`,
	"kinds forgotten":    `DELETE FROM gospaces.kinds`,
	"position forgotten": `DELETE FROM gospaces.positions`,
	"letters dropped":    `DROP TABLE IF EXISTS space_test._dead_letters`,
	"everything dropped": `DROP SCHEMA space_test CASCADE; DROP SCHEMA gospaces CASCADE`,
	"column and catalog": `ALTER TABLE space_test."Job" DROP COLUMN id; DROP SCHEMA gospaces CASCADE`,
	"rows with new rules": `ALTER TABLE space_test."Job" DROP COLUMN id; ALTER TABLE space_test."Job"
		ADD CONSTRAINT rule CHECK (_id <> 3) NOT VALID`,
}

// Whatever is done to the tables, while the mirror runs or not, they are restored in the end, with a log that reaches
// back to its beginning, or an image of the space from before or after the position of the mirror.
func TestRepair_DamagedTablesAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRepair(t, damage, "", 1)
			testRepair(t, damage, "", 3)
			if slices.Contains([]string{
				"table dropped", "column dropped", "catalog dropped", "kinds dropped",
				"rows with new rules",
			}, name) {
				testRepair(t, damage, "old", 1)
				testRepair(t, damage, "new", 3)
			}
		})
	}
}

func testRepair(t *testing.T, damage, image string, lanes int) {
	dsn, db := newDatabase(t)
	log, g, m := &shortLog{memLog: newMemLog()}, newGenerator(1), newModel()
	g.kinds, g.next = append(g.kinds, job), 1000
	follow(t, log.memLog, m, appendJobs(t, kindRecord(1, job), 1, 20))
	follow(t, log.memLog, m, record.AppendRenew(record.AppendRemove(nil, 2, 1, record.Taken), 4, 1, 1e18))
	for range 10 {
		follow(t, log.memLog, m, g.group(20)) // including other kinds
	}
	cfg := divided(lanes)
	cfg.DSN, cfg.BatchRecords, cfg.RetryMin, cfg.PingInterval = dsn, 50, time.Millisecond, time.Millisecond
	w, stop := start(t, log, cfg)
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	switch image {
	case "old":
		log.purge(8, 7)
	case "new":
		log.purge(8, 0)
	}
	for _, running := range []bool{true, false} {
		if !running {
			stop()
		}
		_, err := db.Exec(damage)
		require.NoError(t, err)
		if !running {
			w, stop = start(t, log, cfg)
		}
		follow(t, log.memLog, m,
			record.AppendRemove(appendJobs(t, nil, int(g.next), 5), uint64(5+len(log.groups)%2), 1, record.Taken))
		g.next += 5
		require.NoError(t, w.Flush(t.Context()))
		if strings.Contains(damage, "CONSTRAINT rule") {
			_, err = db.Exec(`ALTER TABLE space_test."Job" DROP CONSTRAINT rule`)
			require.NoError(t, err)
			_, _, err = openLetters(t, dsn).Retry()
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return differs(db, "test", m) == nil }, 20*time.Second, 5*time.Millisecond, "%v",
			differs(db, "test", m))
		require.Eventually(t, func() bool { return w.Stats().LastError == nil && w.Stats().Incomplete == nil },
			20*time.Second, 5*time.Millisecond)
	}
	for range 5 {
		follow(t, log.memLog, m, g.group(20))
	}
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	stop()
}

// A mirror that has fallen behind the beginning of the log continues from an image.
func TestRefill_FromAnImageWhenTheLogHasGoneOn(t *testing.T) {
	t.Parallel()
	for _, modes := range []writeback.Modes{nil, modesOfKinds} {
		dsn, db := newDatabase(t)
		log, g, m := &shortLog{memLog: newMemLog()}, newGenerator(11), newModel()
		cfg := writeback.Config{DSN: dsn, BatchRecords: 300, Modes: modes, Lanes: 2, LaneRows: 1}
		w, stop := start(t, log, cfg)
		for range 3 {
			for range 10 {
				follow(t, log.memLog, m, g.group(30))
			}
			require.NoError(t, w.Flush(t.Context()))
			stop()
			for range 20 {
				follow(t, log.memLog, m, g.group(30)) // some entries come and go unseen
			}
			log.purge(log.Last()-5, log.Last()-3)
			follow(t, log.memLog, m, g.group(30))
			w, stop = start(t, log, cfg)
		}
		require.NoError(t, w.Flush(t.Context()))
		if modes == nil {
			requireMirror(t, db, "test", m)
		} else {
			requireLiving(t, db, m)
		}
		stop()
	}
}

// requireLiving fails the test unless the tables of m, whose modes are modesOfKinds, hold the entries that have not
// left.
func requireLiving(t *testing.T, db *sql.DB, m *model) {
	t.Helper()
	left := make(map[string]int)
	for kind, s := range m.kinds {
		mode := modesOfKinds[s.Kind]
		if mode == writeback.Append && slices.Contains(tablesOf(t, db), m.table(kind)) {
			for _, how := range column(t, db,
				fmt.Sprintf(`SELECT _how FROM space_test.%q WHERE _left IS NOT NULL`, m.table(kind))) {
				left[how]++
			}
		}
		if mode == writeback.None || m.dropped[kind] {
			continue
		}
		var want []string
		for id, e := range m.entries {
			if e.kind == kind {
				want = append(want, fmt.Sprint(id))
			}
		}
		there := ""
		if mode == writeback.Append {
			there = ` WHERE _left IS NULL`
		}
		require.ElementsMatch(t, want, column(t, db, fmt.Sprintf(`SELECT _id::text FROM space_test.%q`, s.Kind)+there),
			s.Kind)
	}
	require.Positive(t, left["unknown"])
	require.Positive(t, left["taken"])
}

// Without an image, a table that has lost rows stays incomplete. The mirror continues, reports it, and refills the
// table when it can.
func TestRefill_WaitsForAnImageAndSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := &shortLog{memLog: newMemLog()}, newModel()
	follow(t, log.memLog, m, appendJobs(t, kindRecord(1, job), 1, 10))
	follow(t, log.memLog, m, appendJobs(t, nil, 11, 1))
	cfg := writeback.Config{
		DSN: dsn, RetryMin: time.Millisecond, PingInterval: time.Millisecond,
		RefillInterval: 10 * time.Millisecond,
	}
	w, _ := start(t, log, cfg)
	require.NoError(t, w.Flush(t.Context()))
	log.purge(2, 0)
	log.breakImages(true)
	_, err := db.Exec(`DROP TABLE space_test."Job"`)
	require.NoError(t, err)
	follow(t, log.memLog, m, appendJobs(t, nil, 12, 2))
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t, []string{"12", "13"}, column(t, db, `SELECT _id::text FROM space_test."Job" ORDER BY _id`))
	require.Equal(t, []string{`"space_test"."Job"`}, w.Stats().Incomplete)

	log.breakImages(false)
	require.Eventually(t, func() bool { return len(w.Stats().Incomplete) == 0 }, time.Minute, time.Millisecond)
	requireMirror(t, db, "test", m)
}
