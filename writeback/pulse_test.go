package writeback_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/writeback"
)

// A database that hangs breaks no connection and refuses nothing. FlushOrAway still returns, so that its caller can
// stop.
func TestFlushOrAway_ADatabaseThatHangsIsAway(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	log, m := newMemLog(), newModel()
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 10))
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.FlushOrAway(t.Context()))
	require.NoError(t, own.Pause())
	follow(t, log, m, appendJobs(t, nil, 11, 10))
	err = w.FlushOrAway(t.Context())
	require.ErrorIs(t, err, writeback.ErrAway)
	require.ErrorContains(t, err, "has not answered for")
	stop()
	require.NoError(t, own.Continue())
	w, _ = start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.FlushOrAway(t.Context()))
	requireMirror(t, connect(t, dsn), "test", m)
}

// A long statement is no silence: the watcher's queries are answered.
func TestFlushOrAway_ADatabaseThatWorksIsWaitedFor(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := mirrorJobs(t, cfg, 1)
		x.exec(`CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql
			AS $$ BEGIN PERFORM pg_sleep(3.5); RETURN NULL; END $$;
			CREATE TRIGGER slow AFTER INSERT ON space_test."Job" EXECUTE FUNCTION public.slow()`)
		follow(t, x.log, x.m, appendJobs(t, nil, 2, 10))
		require.NoError(t, x.FlushOrAway(t.Context()))
		x.requireComplete()
	})
}
