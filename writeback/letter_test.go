package writeback_test

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/writeback"
)

// mirrored is a running mirror of a log, and the expected content of its database.
type mirrored struct {
	*writeback.Writer
	t   *testing.T
	dsn string
	db  *sql.DB
	log *memLog
	m   *model
}

// mirrorJobs mirrors a space named test with n jobs.
func mirrorJobs(t *testing.T, cfg writeback.Config, n int) *mirrored {
	t.Helper()
	dsn, db := newDatabase(t)
	x := &mirrored{t: t, dsn: dsn, db: db, log: newMemLog(), m: newModel()}
	cfg.DSN, cfg.RetryMin, cfg.PingInterval = dsn, time.Millisecond, cmp.Or(cfg.PingInterval, 10*time.Millisecond)
	x.Writer, _ = start(t, x.log, cfg)
	x.follow(appendJobs(t, kindRecord(1, job), 1, n))
	return x
}

// follow appends a group of calls that change one entry each, and returns once it is in the database.
func (x *mirrored) follow(group []byte) {
	x.t.Helper()
	follow(x.t, x.log, x.m, group)
	require.NoError(x.t, x.Flush(x.t.Context()))
}

func (x *mirrored) exec(query string) {
	x.t.Helper()
	_, err := x.db.Exec(query)
	require.NoError(x.t, err, query)
}

// letters returns the dead letters there are.
func (x *mirrored) letters() []writeback.DeadLetter {
	x.t.Helper()
	var all []writeback.DeadLetter
	for l, err := range openLetters(x.t, x.dsn).All() {
		require.NoError(x.t, err)
		all = append(all, l)
	}
	return all
}

// requireRefused fails the test unless exactly these entries have dead letters, and only their rows are missing.
func (x *mirrored) requireRefused(entries ...uint64) {
	x.t.Helper()
	var refused []uint64
	for _, l := range x.letters() {
		refused = append(refused, l.Entry)
	}
	require.Equal(x.t, entries, refused)
	m := &model{kinds: x.m.kinds, entries: maps.Clone(x.m.entries)}
	maps.DeleteFunc(m.entries, func(id uint64, _ entry) bool { return slices.Contains(entries, id) })
	requireMirror(x.t, x.db, "test", m)
	stats := x.Stats()
	require.True(x.t, stats.Connected)
	require.NoError(x.t, stats.LastError)
	require.Zero(x.t, stats.LagGroups)
	require.Eventually(x.t, func() bool { return x.Stats().DeadLetters == len(entries) }, time.Minute, time.Millisecond)
}

func (x *mirrored) requireComplete() {
	x.t.Helper()
	require.Empty(x.t, x.letters())
	requireMirror(x.t, x.db, "test", x.m)
}

func openLetters(t *testing.T, dsn string) *writeback.DeadLetters {
	t.Helper()
	d, err := writeback.OpenDeadLetters(t.Context(), dsn, "test")
	require.NoError(t, err)
	t.Cleanup(d.Close)
	return d
}

func jobRow(t *testing.T, id int64, state string) []byte {
	t.Helper()
	return row(t, job, map[string]any{"id": id, "state": state})
}

// A row that violates a constraint added by users becomes a dead letter; other rows of the same commit are stored, and
// the mirror continues.
func TestDeadLetters_ARowThatIsRefusedStopsNothing(t *testing.T) {
	overLanes(t, testRefused)
}

func testRefused(t *testing.T, cfg writeback.Config) {
	cfg.PingInterval = time.Hour // the mirror itself would retry then
	raise := func(with string) string {
		return `CREATE FUNCTION space_test.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE short varchar(2); BEGIN
			IF NEW.id = 13 THEN ` + with + ` END IF; RETURN NEW; END $$;
			CREATE TRIGGER refuse BEFORE INSERT ON space_test."Job" FOR EACH ROW EXECUTE FUNCTION space_test.refuse()`
	}
	const noTrigger = `DROP FUNCTION space_test.refuse CASCADE`
	for name, c := range map[string]struct{ rule, state, remedy string }{
		"check": {
			`ALTER TABLE space_test."Job" ADD CONSTRAINT rule CHECK (id <> 13)`, "23514",
			`ALTER TABLE space_test."Job" DROP CONSTRAINT rule`,
		},
		"unique": {
			`CREATE TABLE space_test.other (id bigint);
			CREATE UNIQUE INDEX rule ON space_test."Job" ((CASE id WHEN 13 THEN 1 ELSE id END))`, "23505",
			`DROP INDEX space_test.rule`,
		},
		"foreign key": {`CREATE TABLE space_test.others (id bigint PRIMARY KEY); INSERT INTO space_test.others
			SELECT generate_series(0, 12) UNION SELECT generate_series(14, 99); ALTER TABLE space_test."Job"
			ADD CONSTRAINT rule FOREIGN KEY (id) REFERENCES space_test.others`, "23503", `DROP TABLE space_test.others CASCADE`},
		"deferred": {`CREATE TABLE space_test.others (id bigint PRIMARY KEY); INSERT INTO space_test.others
			SELECT generate_series(0, 12) UNION SELECT generate_series(14, 99); ALTER TABLE space_test."Job"
			ADD CONSTRAINT rule FOREIGN KEY (id) REFERENCES space_test.others
			DEFERRABLE INITIALLY DEFERRED`, "23503", `DROP TABLE space_test.others CASCADE`},
		"exclusion": {
			`ALTER TABLE space_test."Job" ADD CONSTRAINT rule EXCLUDE
			USING btree ((CASE id WHEN 13 THEN 1 ELSE id END) WITH =)`, "23P01",
			`ALTER TABLE space_test."Job" DROP CONSTRAINT rule`,
		},
		"not null": {`ALTER TABLE space_test."Job" ADD COLUMN extra bigint GENERATED ALWAYS
			AS (nullif(id, 13)) STORED NOT NULL`, "23502", `ALTER TABLE space_test."Job" DROP COLUMN extra`},
		"overflow": {`ALTER TABLE space_test."Job" ADD COLUMN extra smallint GENERATED ALWAYS
			AS (CASE id WHEN 13 THEN 40000 ELSE id END) STORED`, "22003", `ALTER TABLE space_test."Job" DROP COLUMN extra`},
		"division": {`CREATE INDEX rule ON space_test."Job" ((1 / (id - 13)))`, "22012", `DROP INDEX space_test.rule`},
		"no such value": {
			`CREATE INDEX rule ON space_test."Job" (((CASE id WHEN 13 THEN state ELSE '1' END)::int))`, "22P02",
			`DROP INDEX space_test.rule`,
		},
		"too long": {raise(`short := NEW.state;`), "22001", noTrigger},
		"too large": {`CREATE FUNCTION space_test.large(bigint) RETURNS text IMMUTABLE BEGIN ATOMIC
			SELECT string_agg(md5(g::text), '') FROM generate_series(1, $1 * 99) g WHERE $1 = 13; END;
			CREATE INDEX rule ON space_test."Job" (space_test.large(id))`, "54000", `DROP FUNCTION space_test.large CASCADE`},
		"trigger":           {raise(`RAISE 'no jobs like that';`), "P0001", noTrigger},
		"trigger, own code": {raise(`RAISE 'no jobs like that' USING ERRCODE = 'GS001';`), "GS001", noTrigger},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := mirrorJobs(t, cfg, 5)
			x.exec(c.rule)
			group := record.AppendRemove(nil, 2, 1, record.Taken)
			group = record.AppendPut(group, 101, 1, forever, jobRow(t, 6, "new"))
			group = record.AppendPut(group, 102, 1, forever, jobRow(t, 13, "new"))
			x.follow(record.AppendPut(group, 103, 1, forever, jobRow(t, 7, "new")))
			x.requireRefused(102)
			l := x.letters()[0]
			require.Equal(t, c.state, l.SQLState)
			require.Equal(t, []any{"Job", "store", 1}, []any{l.Kind, l.Action, l.Attempts})
			require.NotEmpty(t, l.Reason)
			require.Zero(t, l.Expires)
			require.JSONEq(t, `{"id": 13, "state": "new"}`, string(l.Fields))
			require.EqualValues(t, 1, x.Stats().RowsRefused)

			x.exec(c.remedy)
			resolved, refused, err := openLetters(t, x.dsn).Retry()
			require.NoError(t, err)
			require.Equal(t, []int{1, 0}, []int{resolved, refused})
			x.requireComplete()
		})
	}
}

func TestDeadLetters_WhatHappensToAnEntryResolvesItsLetter(t *testing.T) {
	overLanes(t, testLettersFollow)
}

func testLettersFollow(t *testing.T, cfg writeback.Config) {
	x := mirrorJobs(t, cfg, 1)
	x.exec(`ALTER TABLE space_test."Job" ADD CONSTRAINT rule CHECK (state <> 'bad')`)
	var group []byte
	for id := uint64(11); id <= 16; id++ {
		group = record.AppendPut(group, id, 1, forever, jobRow(t, int64(id), "bad"))
	}
	x.follow(group)
	x.requireRefused(11, 12, 13, 14, 15, 16)

	x.follow(record.AppendRemove(nil, 11, 1, record.Taken))
	x.requireRefused(12, 13, 14, 15, 16)
	x.follow(record.AppendChange(nil, 12, 1, forever, jobRow(t, 12, "good")))
	x.requireRefused(13, 14, 15, 16)
	x.follow(record.AppendChange(nil, 13, 1, forever, jobRow(t, 130, "bad")))
	x.requireRefused(13, 14, 15, 16)
	require.JSONEq(t, `{"id": 130, "state": "bad"}`, string(x.letters()[0].Fields))
	at := time.Date(2040, 1, 2, 3, 4, 5, 6000, time.UTC)
	x.follow(record.AppendRenew(nil, 14, 1, at.UnixNano()))
	require.Equal(t, at, x.letters()[1].Expires.UTC())

	noSpace := errors.New("no space left on device")
	dropped, err := openLetters(t, x.dsn).Drop(func([]writeback.DeadLetter) error { return noSpace }, 15)
	require.ErrorIs(t, err, noSpace)
	require.Zero(t, dropped)
	x.requireRefused(13, 14, 15, 16)
	var delivered []writeback.DeadLetter
	dropped, err = openLetters(t, x.dsn).Drop(func(b []writeback.DeadLetter) error { delivered = b; return nil }, 15)
	require.NoError(t, err)
	require.Equal(t, 1, dropped)
	require.JSONEq(t, `{"id": 15, "state": "bad"}`, string(delivered[0].Fields))
	x.follow(record.AppendRemove(nil, 15, 1, record.Taken))
	resolved, refused, err := openLetters(t, x.dsn).Retry(13)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, []int{resolved, refused})
	x.requireRefused(13, 14, 16)
	require.Equal(t, 2, x.letters()[0].Attempts)

	x.exec(`ALTER TABLE space_test."Job" DROP CONSTRAINT rule`)
	resolved, refused, err = openLetters(t, x.dsn).Retry(14)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, []int{resolved, refused})
	x.requireRefused(13, 16)
	resolved, refused, err = openLetters(t, x.dsn).Retry()
	require.NoError(t, err)
	require.Equal(t, []int{2, 0}, []int{resolved, refused})
	x.requireComplete()
}

// A row that cannot be deleted or changed also becomes a dead letter.
func TestDeadLetters_StandForRowsThatCannotGo(t *testing.T) {
	overLanes(t, testRowsThatCannotGo)
}

func testRowsThatCannotGo(t *testing.T, cfg writeback.Config) {
	cfg.PingInterval = time.Hour // the mirror itself would retry then
	x := mirrorJobs(t, cfg, 9)
	x.exec(`CREATE TABLE public.notes (job bigint REFERENCES space_test."Job"); INSERT INTO public.notes
		VALUES (3), (4), (5)`)
	x.exec(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE ON space_test."Job"
		FOR EACH ROW WHEN (OLD.id IN (4, 7)) EXECUTE FUNCTION public.refuse()`)
	group := record.AppendRemove(nil, 2, 1, record.Taken)
	group = record.AppendRemove(group, 3, 1, record.Expired)
	group = record.AppendChange(group, 4, 1, forever, jobRow(t, 4, "changed"))
	group = record.AppendChange(group, 5, 1, forever, jobRow(t, 5, "changed where it is"))
	group = record.AppendRenew(group, 6, 1, 66)
	x.follow(record.AppendRenew(group, 7, 1, 77))
	actions := map[uint64]string{}
	for _, l := range x.letters() {
		actions[l.Entry] = l.Action
	}
	require.Equal(t, map[uint64]string{3: "remove", 4: "replace", 7: "renew"}, actions)
	require.Equal(t, []string{"1", "3", "4", "5", "6", "7", "8", "9"},
		column(t, x.db, `SELECT _id::text FROM space_test."Job" ORDER BY _id`))

	x.exec(`DROP TABLE public.notes; DROP FUNCTION public.refuse CASCADE`)
	resolved, refused, err := openLetters(t, x.dsn).Retry()
	require.NoError(t, err)
	require.Equal(t, []int{3, 0}, []int{resolved, refused})
	x.requireComplete()
}

// A refused row that is stored later keeps its delay.
func TestDeadLetters_KeepTheDelay(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	x := &mirrored{t: t, dsn: dsn, db: db, log: newMemLog(), m: newModel()}
	cfg := writeback.Config{DSN: dsn, RetryMin: time.Millisecond}
	x.Writer, _ = start(t, x.log, cfg)
	x.follow(kindRecord(1, job))
	x.requireComplete()
	x.exec(`ALTER TABLE space_test."Job" ADD CONSTRAINT refuse CHECK (false)`)
	x.follow(record.AppendPutLater(appendJobs(t, nil, 1, 1), 2, 1, forever, later, jobRow(t, 2, "later")))
	x.requireRefused(1, 2)
	x.exec(`ALTER TABLE space_test."Job" DROP CONSTRAINT refuse`)
	_, refused, err := openLetters(t, dsn).Retry()
	require.NoError(t, err)
	require.Zero(t, refused)
	x.requireComplete()
	require.Equal(t, []string{"null", "4000000000"},
		column(t, db,
			`SELECT coalesce(extract(epoch FROM _visible)::bigint::text, 'null') FROM space_test."Job" ORDER BY _id`))
}

// The mirror of random programs ends equal to the space, whatever was refused meanwhile, once nothing is refused any
// more.
func TestDeadLetters_OfRandomPrograms(t *testing.T) {
	overLanes(t, testLettersOfRandomPrograms)
}

func testLettersOfRandomPrograms(t *testing.T, cfg writeback.Config) {
	for seed := range uint64(2) {
		dsn, db := newDatabase(t)
		log, g, m := newMemLog(), newGenerator(100+seed), newModel()
		g.plain = true // a dead letter has no state
		cfg.DSN, cfg.BatchRecords = dsn, 200
		w, stop := start(t, log, cfg)
		x := &mirrored{Writer: w, t: t, dsn: dsn, db: db, log: log, m: m}
		for len(g.kinds) < 3 {
			x.follow(g.group(10))
		}
		x.exec(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF (CASE TG_OP WHEN 'INSERT' THEN hashint8(NEW._id) ELSE hashint8(OLD._id + length(TG_OP)) END) % 10 = 0
			THEN RAISE 'unlucky' USING ERRCODE = 'check_violation'; END IF;
			RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$`)
		for _, s := range m.kinds {
			x.exec(fmt.Sprintf(`CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON space_test.%q
				FOR EACH ROW EXECUTE FUNCTION public.refuse()`, s.Kind))
		}
		for i := range 100 {
			follow(t, log, m, g.group(1+g.IntN(50)))
			if i%20 == 0 {
				require.NoError(t, w.Flush(t.Context()))
				_, _, err := openLetters(t, dsn).Retry()
				require.NoError(t, err)
			}
		}
		require.NoError(t, w.Flush(t.Context()))
		require.NotEmpty(t, x.letters())
		x.exec(`DROP FUNCTION public.refuse CASCADE`)
		_, refused, err := openLetters(t, dsn).Retry()
		require.NoError(t, err)
		require.Zero(t, refused)
		x.requireComplete()
		stop()
	}
}

func TestDeadLetters_OfNoMirror(t *testing.T) {
	t.Parallel()
	dsn, _ := newDatabase(t)
	_, err := writeback.OpenDeadLetters(t.Context(), dsn, "test")
	require.ErrorIs(t, err, writeback.ErrNoMirror)
	_, err = writeback.OpenDeadLetters(t.Context(), "", "test")
	require.ErrorContains(t, err, "DSN")
}
