package writeback_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// bank makes calls about accounts. Each call leaves the sum of the balances and the number of accounts unchanged.
type bank struct {
	*rand.Rand
	accounts []account
	next     uint64
}

type account struct {
	id               uint64
	version, balance int64
}

var accountKind = &template.Schema{
	Kind:   "Account",
	Fields: []template.Field{{Name: "version", Class: template.Int}, {Name: "balance", Class: template.Int}},
}

// open opens n accounts at once.
func (b *bank) open(t testing.TB, n int) []byte {
	group := kindRecord(1, accountKind)
	for range n {
		b.next++
		b.accounts = append(b.accounts, account{id: b.next})
		group = record.AppendPut(group, b.next, 1, forever, b.accounts[len(b.accounts)-1].row(t))
	}
	return group
}

func (a account) row(t testing.TB) template.Row {
	return row(t, accountKind, map[string]any{"version": a.version, "balance": a.balance})
}

// group returns n calls that share a message.
func (b *bank) group(t testing.TB, n int) (group []byte) {
	for range n {
		from := len(group)
		one, other := &b.accounts[b.IntN(len(b.accounts))], &b.accounts[b.IntN(len(b.accounts))]
		switch b.IntN(3) {
		case 0: // a change within one account
			group = b.move(t, group, one, 0)
		case 1: // a transfer
			amount := b.Int64N(100)
			group = b.move(t, b.move(t, group, one, amount), other, -amount)
		default: // one account replaces another
			group = record.AppendRemove(group, one.id, 1, record.Taken)
			b.next++
			one.id = b.next
			group = record.AppendPut(group, one.id, 1, forever, one.row(t))
		}
		group = markCall(group, from)
	}
	return group
}

func (b *bank) move(t testing.TB, group []byte, a *account, amount int64) []byte {
	a.version++
	a.balance += amount
	return record.AppendChange(group, a.id, 1, forever, a.row(t))
}

// watch reads the accounts until ctx ends, and returns an error if they are inconsistent.
func watch(ctx context.Context, db *sql.DB, accounts int) error {
	versions := make(map[int64]int64)
	gone := make(map[int64]bool)
	for ctx.Err() == nil {
		rows, err := db.Query(`SELECT _id, version, balance FROM space_test."Account"`)
		if err != nil {
			return err
		}
		seen := make(map[int64]bool)
		sum := int64(0)
		for rows.Next() {
			var id, version, balance int64
			if err := rows.Scan(&id, &version, &balance); err != nil {
				return err
			}
			if version < versions[id] {
				return fmt.Errorf("account %d has version %d after version %d", id, version, versions[id])
			}
			if gone[id] {
				return fmt.Errorf("account %d is back", id)
			}
			versions[id], seen[id] = version, true
			sum += balance
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if len(seen) != accounts || sum != 0 {
			return fmt.Errorf("%d accounts with %d in all", len(seen), sum)
		}
		for id := range versions {
			gone[id] = gone[id] || !seen[id]
		}
	}
	return nil
}

// Entries of different calls become visible in any order, but a call becomes visible at once, and no entry goes back,
// whenever the writer is stopped and however many connections the next one uses.
func TestLanes_ReadersSeeCallsWholeAndNoEntryGoBack(t *testing.T) {
	t.Parallel()
	const accounts = 300
	dsn, db := newDatabase(t)
	log, m, b := newMemLog(), newModel(), &bank{Rand: rand.New(rand.NewPCG(1, 2))}
	follow(t, log, m, b.open(t, accounts))
	cfg := divided(1)
	cfg.DSN, cfg.FlushInterval, cfg.BatchRecords = dsn, time.Millisecond, 20
	w, stop := start(t, log, cfg)
	require.NoError(t, w.Flush(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched := make(chan error, 1)
	go func() { watched <- watch(ctx, db, accounts) }()
	divided := 0
	for range 20 {
		for range 1 + b.IntN(20) {
			follow(t, log, m, b.group(t, 1+b.IntN(10)))
		}
		unlock := func() {}
		if b.IntN(2) == 0 { // stopped in the middle of a batch
			require.NoError(t, w.Flush(t.Context()))
			one := &b.accounts[b.IntN(len(b.accounts))]
			unlock = lock(t, db, fmt.Sprintf(`SELECT FROM space_test."Account" WHERE _id = %d FOR UPDATE`, one.id))
			follow(t, log, m, b.move(t, nil, one, 0))
			for range 20 {
				follow(t, log, m, b.group(t, 1+b.IntN(10)))
			}
			lockedLanes(t, db, 1, "")
		}
		if w.Stats().Lanes > 1 {
			divided++
		}
		stop()
		unlock()
		cfg.Lanes = 1 + b.IntN(4)
		w, stop = start(t, log, cfg)
	}
	require.NoError(t, w.Flush(t.Context()))
	cancel()
	require.NoError(t, <-watched)
	requireMirror(t, db, "test", m)
	require.Positive(t, divided)
}

// lockedLanes waits until n connections of writers wait for locks in statements with this beginning.
func lockedLanes(t *testing.T, db *sql.DB, n int, statement string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND wait_event_type = 'Lock'
			AND application_name = 'gospaces writeback' AND query LIKE $1 || '%'`, statement).Scan(&waiting)
		return err == nil && waiting == n
	}, time.Minute, 5*time.Millisecond)
}

// lock runs a statement in a transaction that lasts until the returned function is called, or the test ends.
func lock(t *testing.T, db *sql.DB, statement string) (unlock func()) {
	t.Helper()
	tx, err := db.Begin()
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.Exec(statement)
	require.NoError(t, err)
	return func() { _ = tx.Rollback() }
}

// A batch of three parts is stopped at each of its steps, by the end of the writer or of the server. Whatever parts are
// in the database, the next writer, with any number of lanes, completes the batch. Parts of the previous writer that
// are still in progress do not interfere.
func TestLanes_ABatchIsCompletedWhateverIsThereOfIt(t *testing.T) {
	t.Parallel()
	for name, stopAt := range map[string]func(x *mirrored) (release func()){
		"announced": func(x *mirrored) func() {
			release := lock(x.t, x.db, `LOCK TABLE space_test."Job" IN SHARE MODE`)
			x.halfDone()
			lockedLanes(x.t, x.db, 3, "")
			require.Equal(x.t, []string{"20"}, column(x.t, x.db, `SELECT count(*)::text FROM space_test."Job"`))
			return release
		},
		"parts committed": func(x *mirrored) func() {
			release := lock(x.t, x.db, `SELECT FROM space_test."Job" WHERE _id = 7 FOR UPDATE`)
			x.halfDone()
			lockedLanes(x.t, x.db, 1, "DELETE")
			require.Eventually(x.t, func() bool {
				return x.someOf(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
					AND application_name = 'gospaces writeback' AND state = 'idle'`) == 2
			}, time.Minute, 5*time.Millisecond)
			rows := x.someOf(`SELECT count(*) FROM space_test."Job" WHERE _id > 20`)
			require.Positive(x.t, rows)
			require.Less(x.t, rows, 60)
			return release
		},
		"all committed": func(x *mirrored) func() {
			unlock := lock(x.t, x.db, `SELECT FROM space_test."Job" WHERE _id = 7 FOR UPDATE`)
			x.halfDone()
			lockedLanes(x.t, x.db, 1, "DELETE")
			release := lock(x.t, x.db, `SELECT FROM gospaces.positions FOR SHARE`)
			unlock()
			lockedLanes(x.t, x.db, 1, "UPDATE gospaces.positions")
			require.Equal(x.t, 60, x.someOf(`SELECT count(*) FROM space_test."Job" WHERE _id > 20`))
			return release
		},
	} {
		for _, kill := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, server killed %t", name, kill), func(t *testing.T) {
				t.Parallel()
				testStopped(t, stopAt, kill)
			})
		}
	}
}

func testStopped(t *testing.T, stopAt func(x *mirrored) func(), kill bool) {
	var err error
	x := &mirrored{t: t, log: newMemLog(), m: newModel()}
	restart := func() {}
	if kill {
		own := ownServer(t)
		x.dsn, err = own.NewDatabase(t.Context())
		require.NoError(t, err)
		restart = func() {
			require.NoError(t, own.Kill())
			require.NoError(t, own.Restart(t.Context()))
		}
	} else {
		x.dsn, err = server.NewDatabase(t.Context())
		require.NoError(t, err)
	}
	x.db = connect(t, x.dsn)
	cfg := divided(3)
	cfg.DSN, cfg.FlushInterval = x.dsn, time.Hour
	var stop func()
	x.Writer, stop = start(t, x.log, cfg)
	for round, lanes := range []int{1, 2, 4} {
		x.m.entries = map[uint64]entry{} // starts again with new entries
		if round > 0 {
			_, err := x.db.Exec(`DROP SCHEMA space_test CASCADE; DROP SCHEMA gospaces CASCADE`)
			require.NoError(t, err)
			x.log = newMemLog()
			cfg.Lanes = 3
			x.Writer, stop = start(t, x.log, cfg)
		}
		x.follow(appendJobs(t, kindRecord(1, job), 1, 20))
		release := stopAt(x)
		require.Equal(t, []string{"1 2"}, column(t, x.db, `SELECT position || ' ' || ahead FROM gospaces.positions`))
		if kill {
			restart()
		} else {
			stop()
			_, err := writeback.OpenTables(t.Context(), x.dsn, "test", false)
			require.ErrorIs(t, err, writeback.ErrIncomplete)
			cfg.Lanes = lanes
			x.Writer, stop = start(t, x.log, cfg)
			release()
		}
		follow(t, x.log, x.m, record.AppendRemove(nil, 22, 1, record.Taken))
		require.NoError(t, x.Flush(t.Context()))
		requireMirror(t, x.db, "test", x.m)
		require.Zero(t, x.Stats().DeadLetters)
		if kill {
			return // once is enough
		}
		stop()
	}
}

// halfDone appends calls that change old entries and put new ones, and writes them.
func (x *mirrored) halfDone() {
	var group []byte
	for id := uint64(1); id <= 20; id++ {
		switch id % 3 {
		case 0:
			group = record.AppendChange(group, id, 1, forever, jobRow(x.t, int64(id), "changed"))
		case 1:
			group = record.AppendRemove(group, id, 1, record.Taken)
		default:
			group = record.AppendRenew(group, id, 1, 1e18)
		}
	}
	follow(x.t, x.log, x.m, appendJobs(x.t, group, 21, 60))
	ctx, cancel := context.WithCancel(x.t.Context())
	cancel()
	require.ErrorIs(x.t, x.Flush(ctx), context.Canceled) // Flush stops waiting, and so does the writer
}

// someOf returns the result of a query for one number.
func (x *mirrored) someOf(query string) (n int) {
	x.t.Helper()
	require.NoError(x.t, x.db.QueryRow(query).Scan(&n))
	return n
}

// Rows that refer to each other, and that parts of a batch could not write, are written in one transaction, as without
// lanes.
func TestLanes_RulesBetweenRowsAreKept(t *testing.T) {
	t.Parallel()
	x := mirrorJobs(t, divided(3), 3)
	x.exec(`ALTER TABLE space_test."Job" ADD UNIQUE (id); ALTER TABLE space_test."Job" ADD COLUMN boss bigint
		GENERATED ALWAYS AS (nullif(id / 10, 0)) STORED;
		ALTER TABLE space_test."Job" ADD FOREIGN KEY (boss) REFERENCES space_test."Job" (id) DEFERRABLE INITIALLY DEFERRED`)
	for range 3 {
		next := int(x.log.Last())*1000 + 10
		var group []byte
		for id := range x.m.entries {
			group = record.AppendRemove(group, id, 1, record.Taken)
		}
		for i := range 90 { // those from 10 on refer to those from 1 on
			group = record.AppendPut(group, uint64(next+i), 1, forever, jobRow(t, int64(i+1), "new"))
		}
		x.follow(group)
		x.requireComplete()
	}
	require.Equal(t, 1, x.Stats().Lanes)
	require.Zero(t, x.Stats().Failures)
}

// A row that is refused for its values becomes a dead letter in its part; other parts are not affected, and the next
// batch is divided again.
func TestLanes_ARefusedRowDisturbsNoOtherPart(t *testing.T) {
	t.Parallel()
	x := mirrorJobs(t, divided(3), 2)
	x.exec(`ALTER TABLE space_test."Job" ADD CONSTRAINT rule CHECK (id % 10 <> 3)`)
	var refused []uint64
	for round := range 3 {
		x.follow(appendJobs(t, nil, 100*(1+round), 30))
		for _, i := range []int{3, 13, 23} {
			refused = append(refused, uint64(100*(1+round)+i))
		}
		x.requireRefused(append([]uint64(nil), refused...)...)
		require.Equal(t, 3, x.Stats().Lanes)
	}
	require.Zero(t, x.Stats().Failures)
}

func TestLanes_FewerDoWhenTheDatabaseAdmitsNoMore(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	db := connect(t, dsn)
	_, err = db.Exec(`CREATE ROLE mirror LOGIN CONNECTION LIMIT 2; CREATE SCHEMA gospaces AUTHORIZATION mirror;
		CREATE SCHEMA space_test AUTHORIZATION mirror`)
	require.NoError(t, err)
	log, m := newMemLog(), newModel()
	cfg := divided(4)
	cfg.DSN = dsn + " user=mirror"
	w, _ := start(t, log, cfg)
	for i := range 3 {
		follow(t, log, m, appendJobs(t, kindRecord(1, job), 1+100*i, 50))
		require.NoError(t, w.Flush(t.Context()))
	}
	requireMirror(t, db, "test", m)
	require.Contains(t, []int{1, 2}, w.Stats().Lanes, "the watcher may have one of the two")
	require.Zero(t, w.Stats().Failures)
}

func TestLanes_AreClosedWhenTheyAreNotNeeded(t *testing.T) {
	t.Parallel()
	cfg := divided(4)
	x := mirrorJobs(t, cfg, 1)
	x.follow(appendJobs(t, nil, 100, 50))
	require.Equal(t, 4, x.Stats().Lanes)
	require.Eventually(t, func() bool {
		return x.someOf(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND application_name = 'gospaces writeback'`) == 1
	}, time.Minute, 5*time.Millisecond)
	x.follow(appendJobs(t, nil, 200, 50))
	require.Equal(t, 4, x.Stats().Lanes)
	requireMirror(t, x.db, "test", x.m)
}

func TestLanes_SmallBatchesGoOverOneConnection(t *testing.T) {
	t.Parallel()
	cfg := writeback.Config{Lanes: 4, LaneRows: 20}
	x := mirrorJobs(t, cfg, 39)
	require.Equal(t, 1, x.Stats().Lanes)
	x.follow(appendJobs(t, nil, 100, 40))
	require.Equal(t, 2, x.Stats().Lanes)
	require.Equal(t, []string{"2 2"}, column(t, x.db, `SELECT position || ' ' || ahead FROM gospaces.positions`))
}
