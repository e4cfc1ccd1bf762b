package writeback_test

import (
	"context"
	"log/slog"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

const childEnv = "WRITEBACK_TEST_CHILD"

func child() int { return 0 }

// start runs a writer until the test ends or stop is called.
func start(t testing.TB, source writeback.Source, cfg writeback.Config) (w *writeback.Writer, stop func()) {
	t.Helper()
	if cfg.Space == "" {
		cfg.Space = "test"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	w, err := writeback.New(source, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		cancel()
		if !stopped {
			stopped = true
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	return w, stop
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

var job = &template.Schema{Kind: "Job", Fields: []template.Field{{Name: "id", Class: template.Int}, {Name: "state", Class: template.String}}}

func TestWriter_MirrorsRandomPrograms(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		dsn, db := newDatabase(t)
		log, g, m := newMemLog(), newGenerator(seed), newModel()
		w, stop := start(t, log, writeback.Config{DSN: dsn})
		for i := range 200 {
			group := g.group(1 + g.IntN(50))
			require.NoError(t, m.apply(group))
			log.Append(group)
			if i%40 == 0 {
				require.NoError(t, w.Flush(t.Context()))
				requireMirror(t, db, "test", m)
			}
		}
		require.NoError(t, w.Flush(t.Context()))
		requireMirror(t, db, "test", m)
		stop()
	}
}

var _ = math.MaxInt64
