package writeback_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/writeback"
)

func TestRun_RefusesTheDatabaseOfAnotherLog(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 10))
	follow(t, log, m, appendJobs(t, nil, 11, 1))
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	stop()

	reborn := newMemLog()
	reborn.incarnation = "B"
	reborn.Append(appendJobs(t, kindRecord(1, job), 1, 1))
	truncated := newMemLog()
	truncated.Append(appendJobs(t, kindRecord(1, job), 1, 10))
	for text, log := range map[string]*memLog{"incarnation A": reborn, "lost its end": truncated} {
		w, run := newWriter(t, log, writeback.Config{DSN: dsn})
		err := run(t.Context())
		require.ErrorIs(t, err, writeback.ErrOtherLog)
		require.ErrorContains(t, err, text)
		require.ErrorIs(t, w.Stats().LastError, writeback.ErrOtherLog)
		require.ErrorIs(t, w.Flush(t.Context()), writeback.ErrStopped)
		require.ErrorIs(t, w.Flush(t.Context()), writeback.ErrOtherLog)
		requireMirror(t, db, "test", m)
	}

	_, err := db.Exec(`DROP SCHEMA space_test CASCADE; DELETE FROM gospaces.kinds WHERE space = 'test'; DELETE
		FROM gospaces.positions WHERE space = 'test'`)
	require.NoError(t, err, "as docs/sql.md tells")
	w, _ = start(t, reborn, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t, []string{"1"}, column(t, db, `SELECT count(*)::text FROM space_test."Job"`))
}

// A log that has lost its end, and has grown again, is a different log, however long it is.
func TestRun_RefusesALogThatHasGrownAgain(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		dsn, db := newDatabase(t)
		cfg.DSN = dsn
		m, log := newModel(), newMemLog()
		for i := range 4 {
			follow(t, log, m, appendJobs(t, kindRecord(1, job), 1+100*i, 100))
		}
		for range 2 { // the log is the same after a restart
			w, stop := start(t, log, cfg)
			require.NoError(t, w.Flush(t.Context()))
			stop()
			follow(t, log, m, nil)
		}
		w, stop := start(t, log, cfg)
		require.NoError(t, w.Flush(t.Context()))
		stop()

		grown := newMemLog()
		grown.groups = slices.Clone(log.groups[:5])
		for range 9 {
			grown.Append(nil)
		}
		w, run := newWriter(t, grown, cfg)
		err := run(t.Context())
		require.ErrorIs(t, err, writeback.ErrOtherLog)
		require.ErrorContains(t, err, "up to position 6, and the log has something else there: the log has lost its end")
		require.ErrorIs(t, w.Stats().LastError, writeback.ErrOtherLog)
		requireMirror(t, db, "test", m)
	})
}

func TestRun_ReturnsNilWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	dsn, _ := newDatabase(t)
	log := newMemLog()
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	stop()
	require.NoError(t, w.Flush(t.Context()), "nothing is missing")
	log.Append(kindRecord(1, job))
	require.ErrorIs(t, w.Flush(t.Context()), writeback.ErrStopped)
}

func TestRun_AGroupThatIsNoGroupStopsTheMirrorBeforeIt(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	for name, bad := range map[string][]byte{
		"corrupt record": {99},
		"malformed":      record.AppendKind(nil, 1, []byte("x")),
	} {
		log, m := newMemLog(), newModel()
		follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 1))
		log.Append(append(appendJobs(t, nil, 2, 1), bad...))
		w, stop := start(t, log, writeback.Config{DSN: dsn, Space: name, RetryMin: time.Millisecond})
		require.Eventually(t, func() bool { return w.Stats().Failures > 1 }, time.Minute, time.Millisecond)
		require.ErrorContains(t, w.Stats().LastError, name)
		stop()
		requireMirror(t, db, name, m)
	}
}

func TestRun_ALogThatContradictsItselfStopsTheMirror(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	for name, bad := range map[string][]byte{
		"kind 9":             record.AppendPut(nil, 5, 9, forever, nil),
		"malformed encoding": record.AppendKind(nil, 1, []byte("no schema")),
	} {
		log, m := newMemLog(), newModel()
		w, stop := start(t, log, writeback.Config{DSN: dsn, Space: name, RetryMin: time.Millisecond})
		follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 1))
		require.NoError(t, w.Flush(t.Context()))
		log.Append(append(appendJobs(t, nil, 2, 1), bad...))
		require.Eventually(t, func() bool { return w.Stats().Failures > 1 }, time.Minute, time.Millisecond)
		require.ErrorContains(t, w.Stats().LastError, name)
		stop()
		requireMirror(t, db, name, m)
	}
}

func TestStats_TellWhatIsBehind(t *testing.T) {
	t.Parallel()
	dsn, _ := newDatabase(t)
	log := newMemLog()
	w, _ := start(t, log, writeback.Config{DSN: dsn, FlushInterval: time.Hour})
	for i := range 10 {
		log.Append(appendJobs(t, kindRecord(1, job), 10*i+1, 10))
	}
	require.Eventually(t, func() bool { return w.Stats().BufferedRecords == 110 }, time.Minute, time.Millisecond)
	stats := w.Stats()
	require.EqualValues(t, 10, stats.LagGroups)
	require.Positive(t, stats.LagAge)
	require.Positive(t, stats.BufferedBytes)
	require.Zero(t, stats.RowsWritten)

	require.NoError(t, w.Flush(t.Context())) // does not wait for an hour
	stats = w.Stats()
	require.Equal(t, writeback.Stats{Connected: true, Position: 10, RowsWritten: 100, Commits: 1, Lanes: 1}, stats)
}

func TestStats_LagIsKnownBeforeTheDatabaseIs(t *testing.T) {
	t.Parallel()
	log := newMemLog()
	log.Append(kindRecord(1, job))
	w, _ := start(t, log, writeback.Config{DSN: "host=/nowhere dbname=x sslmode=disable"})
	require.Eventually(t, func() bool { return w.Stats().LastError != nil }, time.Minute, time.Millisecond)
	stats := w.Stats()
	require.EqualValues(t, 1, stats.LagGroups)
	require.Positive(t, stats.LagAge)
	require.False(t, stats.Connected)
	require.Less(t, stats.LagAge, time.Since(time.Now().Add(-time.Hour)))
}

func TestNew_NamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := writeback.New(newMemLog(), writeback.Config{BatchBytes: -1, FlushInterval: -1})
	for _, part := range []string{"DSN", "Space", "BatchBytes", "intervals"} {
		require.ErrorContains(t, err, part)
	}
}

// staleLog is the log of a process that another may have replaced: it does not know all of the log.
type staleLog struct {
	*memLog
	verify func() error
}

func (l staleLog) Verify(context.Context) error { return l.verify() }

// A process that does not know the end of its log makes sure of it before it takes the database for that of another.
func TestRun_ALogOfWhichTheEndIsNotKnownIsAskedFirst(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 10))
	known := &memLog{incarnation: log.incarnation, groups: slices.Clone(log.groups), changed: make(chan struct{})}
	follow(t, log, m, appendJobs(t, nil, 11, 1))
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	stop()

	asked := 0
	w, _ = start(t, staleLog{known, func() error {
		if asked++; asked < 3 {
			return errors.New("another process writes the log")
		}
		if asked == 3 { // this one does again, and knows all
			known.appendGroup(log.groups[1])
		}
		return nil
	}}, writeback.Config{DSN: dsn})
	follow(t, log, m, appendJobs(t, nil, 12, 1))
	require.Eventually(t, func() bool { return w.Stats().Position == 2 }, time.Minute, time.Millisecond)
	known.appendGroup(log.groups[2])
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)

	_, run := newWriter(t, staleLog{&memLog{incarnation: "A", changed: make(chan struct{})}, func() error { return nil }},
		writeback.Config{DSN: dsn})
	require.ErrorIs(t, run(t.Context()), writeback.ErrOtherLog, "it is the end of the log")
}
