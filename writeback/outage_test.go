package writeback_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/writeback"
)

// A database that is away for a day gets an attempt every few seconds, not more, and has everything soon after it is
// back.
func TestFaults_ADayWithoutTheDatabase(t *testing.T) {
	dsn, db := newDatabase(t)
	cfg, err := pq.NewConfig(dsn)
	require.NoError(t, err)
	if !filepath.IsAbs(cfg.Host) {
		t.Skip("needs a server on a unix socket")
	}
	dir, err := os.MkdirTemp("", "away")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		log, g, m := newMemLog(), newGenerator(31), newModel()
		w, err := writeback.New(log, writeback.Config{DSN: dsn + " host=" + dir, Space: "test"})
		require.NoError(t, err)
		done := make(chan error)
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- w.Run(ctx) }()
		for range 24 {
			time.Sleep(time.Hour)
			follow(t, log, m, g.group(50))
		}
		stats := w.Stats()
		require.Error(t, stats.LastError)
		require.EqualValues(t, 24, stats.LagGroups)
		require.Equal(t, 24*time.Hour, stats.LagAge.Round(time.Hour))
		require.InDelta(t, 24*3600/(15*0.75), stats.Failures, 500, "one in 7.5 to 15 seconds")

		require.NoError(t, os.Symlink(filepath.Join(cfg.Host, ".s.PGSQL.5432"), filepath.Join(dir, ".s.PGSQL.5432")))
		require.NoError(t, w.Flush(t.Context()))
		stop()
		require.NoError(t, <-done)
		requireMirror(t, db, "test", m)
	})
}
