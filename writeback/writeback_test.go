package writeback_test

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

const forever = math.MaxInt64

// start runs a writer until the test ends or stop is called.
func start(t testing.TB, source writeback.Source, cfg writeback.Config) (w *writeback.Writer, stop func()) {
	t.Helper()
	w, run := newWriter(t, source, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return w, stop
}

func newWriter(t testing.TB, source writeback.Source,
	cfg writeback.Config,
) (w *writeback.Writer, run func(context.Context) error) {
	t.Helper()
	if cfg.Space == "" {
		cfg.Space = "test"
	}
	cfg.RetryMax = 100 * time.Millisecond // the tests' databases come back soon
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	w, err := writeback.New(source, cfg)
	require.NoError(t, err)
	return w, w.Run
}

func row(t testing.TB, s *template.Schema, fields map[string]any) template.Row {
	t.Helper()
	r, err := template.RowFromMap(s, fields)
	require.NoError(t, err)
	return r
}

func kindRecord(kind uint32, s *template.Schema) []byte {
	return record.AppendKind(nil, kind, template.AppendSchema(nil, s))
}

var job = &template.Schema{
	Kind:   "Job",
	Fields: []template.Field{{Name: "id", Class: template.Int}, {Name: "state", Class: template.String}},
}

// appendJobs appends to b puts of n jobs, the first of them entry first.
func appendJobs(t testing.TB, b []byte, first, n int) []byte {
	t.Helper()
	for i := first; i < first+n; i++ {
		b = record.AppendPut(b, uint64(i), 1, forever, row(t, job, map[string]any{"id": int64(i), "state": "new"}))
	}
	return b
}

// follow appends a group to log and m.
func follow(t testing.TB, log *memLog, m *model, group []byte) {
	t.Helper()
	require.NoError(t, m.apply(group))
	log.Append(group)
}

// overLanes runs a test with one connection, and with batches that are divided over several, however small they are.
func overLanes(t *testing.T, test func(t *testing.T, cfg writeback.Config)) {
	t.Helper()
	t.Parallel()
	for name, cfg := range map[string]writeback.Config{"one lane": {Lanes: 1}, "three lanes": divided(3)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, cfg)
		})
	}
}

// divided returns a configuration that divides every batch with several changes over lanes.
func divided(lanes int) writeback.Config { return writeback.Config{Lanes: lanes, LaneRows: 1} }

func TestWriter_MirrorsRandomPrograms(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		for seed := range uint64(3) {
			dsn, db := newDatabase(t)
			log, g, m := newMemLog(), newGenerator(seed), newModel()
			cfg.DSN = dsn
			w, stop := start(t, log, cfg)
			for i := range 100 {
				follow(t, log, m, g.group(1+g.IntN(50)))
				if i%30 == 0 {
					require.NoError(t, w.Flush(t.Context()))
					requireMirror(t, db, "test", m)
				}
			}
			require.NoError(t, w.Flush(t.Context()))
			requireMirror(t, db, "test", m)
			require.Zero(t, w.Stats().Failures)
			stop()
		}
	})
}

func TestWriter_AnotherOneGoesOnWhereTheLastStopped(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, g, m := newMemLog(), newGenerator(7), newModel()
	for range 50 {
		follow(t, log, m, g.group(1+g.IntN(50)))
		if g.IntN(2) == 0 {
			continue
		}
		cfg := divided(1 + g.IntN(4))
		cfg.DSN = dsn
		w, stop := start(t, log, cfg)
		require.NoError(t, w.Flush(t.Context()))
		stop()
	}
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
}

func TestWriter_TwoAtATimeDoNoHarm(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		dsn, db := newDatabase(t)
		log, g, m := newMemLog(), newGenerator(8), newModel()
		cfg.DSN, cfg.FlushInterval = dsn, 1
		one, _ := start(t, log, cfg)
		two, _ := start(t, log, cfg)
		for range 200 {
			follow(t, log, m, g.group(1+g.IntN(20)))
		}
		require.NoError(t, one.Flush(t.Context()))
		require.NoError(t, two.Flush(t.Context()))
		requireMirror(t, db, "test", m)
		require.Zero(t, one.Stats().DeadLetters)
	})
}

func TestWriter_SpacesShareADatabase(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	models := map[string]*model{"a": newModel(), "b": newModel()}
	var writers []*writeback.Writer
	for space, m := range models {
		log, g := newMemLog(), newGenerator(uint64(space[0]))
		w, _ := start(t, log, writeback.Config{DSN: dsn, Space: space})
		for range 20 {
			follow(t, log, m, g.group(20))
		}
		writers = append(writers, w)
	}
	for _, w := range writers {
		require.NoError(t, w.Flush(t.Context()))
	}
	for space, m := range models {
		requireMirror(t, db, space, m)
	}
}

func TestWriter_WhatComesAndGoesInABatchNeverTouchesTheDatabase(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 100))
	for i := 1; i <= 99; i++ {
		follow(t, log, m, record.AppendRemove(record.AppendRenew(nil, uint64(i), 1, 5), uint64(i), 1, record.Taken))
	}
	w, _ := start(t, log, writeback.Config{DSN: dsn, FlushInterval: time.Hour, BatchRecords: 299, Lanes: 1})
	require.Eventually(t, func() bool { return w.Stats().Position == log.Last() }, time.Minute, time.Millisecond)
	requireMirror(t, db, "test", m)
	stats := w.Stats()
	require.EqualValues(t, 1, stats.RowsWritten)
	require.Zero(t, stats.RowsDeleted)
	require.EqualValues(t, 99*3, stats.Coalesced)
	require.EqualValues(t, 1, stats.Commits)
}

func TestWriter_AnEntryPutAgainIsReplaced(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	other := &template.Schema{Kind: "Other", Fields: job.Fields}
	again := row(t, job, map[string]any{"state": "again"})
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	follow(t, log, m, appendJobs(t, append(kindRecord(1, job), kindRecord(2, other)...), 1, 10))
	require.NoError(t, w.Flush(t.Context()))
	group := record.AppendPut(nil, 3, 1, 77, again)
	group = record.AppendPut(group, 4, 1, forever, again)
	group = record.AppendPut(group, 20, 1, forever, again)
	group = record.AppendPut(group, 20, 1, forever, row(t, job, nil))
	group = record.AppendPut(group, 15, 2, forever, again)
	follow(t, log, m, group)
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
}
