package spacetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/postgres"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// mirrorLog is the bound of what the mirrors of these tests may lack. It is more than a server has in its log that
// nothing has happened to.
const mirrorLog = 1 << 20

// filled is a server whose database has gone away until as much was written as the log keeps for it.
type filled struct {
	*kit
	s   *ServerHandle
	dsn string
	c   *Client
	// ids of the entries that were written; others may be in the space only when their writes have returned
	known map[int]bool
}

// load is what fills a log.
type load struct {
	ID   int
	Data []byte
}

// outages are ways in which a database is away, and comes back.
var outages = map[string]struct {
	away, back func(ctx context.Context, pg *postgres.Server) error
}{
	"stopped": {
		func(_ context.Context, pg *postgres.Server) error { return pg.Pause() },
		func(_ context.Context, pg *postgres.Server) error { return pg.Continue() },
	},
	"down": {
		func(_ context.Context, pg *postgres.Server) error { return pg.Kill() },
		func(ctx context.Context, pg *postgres.Server) error { return pg.Restart(ctx) },
	},
}

// fill fills the log of a server with a policy, while the database is away, and calls test. It calls back before test
// ends, for the database to come back.
func fill(t *testing.T, policy string, test func(f *filled, back func())) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg, err := postgres.Start(t.Context(), postgres.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, pg.Stop()) })
			dsn, err := pg.NewDatabase(t.Context())
			require.NoError(t, err)
			s := Server(t, ServerConfig{Process: true, Postgres: dsn, MirrorLog: mirrorLog, MirrorFull: policy})
			f := &filled{kit: &kit{T: t, ctx: t.Context()}, s: s, dsn: dsn, c: s.Dial(t), known: map[int]bool{}}
			f.sp = f.c
			f.write(0)
			f.await("the mirror is there", func(st fullState) bool { return st.Mirror.Connected && st.Mirror.LagGroups == 0 })
			require.False(t, f.status().Full.Full)
			require.NoError(t, outage.away(t.Context(), pg))
			for id := 1; !f.status().Full.Full; id++ {
				f.write(id)
			}
			test(f, func() { require.NoError(t, outage.back(t.Context(), pg)) })
		})
	}
}

// write writes an entry that is large enough for some dozens to fill the log. The last one that fits may find it full.
func (f *filled) write(id int) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := space.Write(ctx, f.c, load{id, make([]byte, 30_000)})
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				require.ErrorIs(f, err, context.Canceled)
				require.NotErrorIs(f, err, space.ErrOutcomeUnknown)
			} else {
				f.known[id] = true
			}
			return
		case <-time.After(time.Millisecond):
			if f.status().Full.Full {
				cancel() // what is under way ends, one way or the other
			}
		}
	}
}

// fullState is the part of a server's status that these tests look at.
type fullState struct {
	Mirror struct {
		Connected bool
		LagGroups uint64 `json:"lag_groups"`
		LagBytes  int64  `json:"lag_bytes"`
	}
	Full struct {
		Policy string
		Bound  int64 `json:"bound_bytes"`
		Full   bool
		Since  string
	} `json:"mirror_full"`
	Throttle string
	Calls    uint64 `json:"throttled_calls"`
}

func (f *filled) status() fullState {
	text, err := f.c.Status(f.ctx)
	require.NoError(f, err)
	var st struct{ Spaces []fullState }
	require.NoError(f, json.Unmarshal(text, &st))
	return st.Spaces[0]
}

func (f *filled) await(what string, is func(st fullState) bool) {
	f.Helper()
	require.Eventually(f, func() bool { return is(f.status()) }, time.Minute, time.Millisecond, what)
}

// requireKnown requires that exactly the known entries are in the space, once each, and in the database.
func (f *filled) requireKnown() {
	f.Helper()
	want := slices.Collect(maps.Keys(f.known))
	var got []int
	for v, err := range space.Contents(f.ctx, f.sp, load{}) {
		require.NoError(f, err)
		got = append(got, v.ID)
	}
	require.ElementsMatch(f, want, got)
	f.await("the database has all", func(st fullState) bool { return st.Mirror.LagGroups == 0 })
	db, err := sql.Open("postgres", f.dsn)
	require.NoError(f, err)
	defer db.Close()
	rows, err := db.QueryContext(f.ctx, `SELECT id FROM space_default.load`)
	require.NoError(f, err)
	defer rows.Close()
	got = nil
	for rows.Next() {
		var id int
		require.NoError(f, rows.Scan(&id))
		got = append(got, id)
	}
	require.NoError(f, rows.Err())
	require.ElementsMatch(f, want, got)
}

// requireReads requires that what reads goes on.
func (f *filled) requireReads() {
	f.Helper()
	v, err := space.Read(f.ctx, f.sp, load{ID: 0}, space.Where("id", space.Eq(0)), space.NoWait())
	require.NoError(f, err)
	require.Len(f, v.Data, 30_000)
	n, err := space.Count(f.ctx, f.sp, load{})
	require.NoError(f, err)
	require.Len(f, f.known, n)
}

func first0(opts ...space.TakeOption) []space.TakeOption {
	return append(opts, space.Where("id", space.Eq(0)))
}

// Calls wait while the database lacks as much of the log as may be kept for it, and are done once when it has caught
// up.
func TestFull_BlockLetsCallsWait(t *testing.T) {
	t.Parallel()
	fill(t, node.Block, func(f *filled, back func()) {
		st := f.status()
		require.Equal(f, node.Block, st.Full.Policy)
		require.EqualValues(f, mirrorLog, st.Full.Bound)
		require.NotEmpty(f, st.Full.Since)
		require.Contains(f, st.Throttle, "--mirror-log")
		require.GreaterOrEqual(f, st.Mirror.LagBytes, int64(mirrorLog/2))

		ctx, cancel := context.WithCancel(f.ctx)
		given := make(chan error, 2)
		go func() {
			_, err := space.Write(ctx, f.sp, load{ID: 1_000_000})
			given <- err
		}()
		go func() {
			_, err := space.Take(ctx, f.sp, load{}, first0()...)
			given <- err
		}()
		before := f.status().Calls
		f.await("both wait", func(st fullState) bool { return st.Calls > before+4 })
		cancel()
		for range 2 {
			err := <-given
			require.ErrorIs(f, err, context.Canceled)
			require.NotErrorIs(f, err, space.ErrOutcomeUnknown)
		}
		closing := f.s.Dial(f)
		before = f.status().Calls
		go func() {
			_, err := space.Write(f.ctx, closing, load{ID: 1_000_001})
			given <- err
		}()
		f.await("it waits", func(st fullState) bool { return st.Calls > before+2 })
		require.NoError(f, closing.Close())
		require.ErrorIs(f, <-given, space.ErrClosed)
		_, err := space.Take(f.ctx, f.sp, load{}, first0(space.Wait(50*time.Millisecond))...)
		require.ErrorIs(f, err, space.ErrLogFull, "its wait is over, and there is a match")
		f.requireReads()

		var calls sync.WaitGroup
		const writers = 20
		errs := make([]error, writers+1)
		for i := range writers {
			f.known[2_000_000+i] = true
			calls.Go(func() { _, errs[i] = space.Write(f.ctx, f.sp, load{ID: 2_000_000 + i}) })
		}
		calls.Go(func() { _, errs[writers] = space.Take(f.ctx, f.sp, load{}, first0()...) })
		before = f.status().Calls
		f.await("they wait", func(st fullState) bool { return st.Calls > before+2*writers })
		f.requireStopped()
		back()
		calls.Wait()
		for _, err := range errs {
			require.NoError(f, err)
		}
		delete(f.known, 0)
		f.await("they go on", func(st fullState) bool { return !st.Full.Full && st.Throttle == "" })
		f.requireKnown()
	})
}

// requireStopped requires that the log does not grow.
func (f *filled) requireStopped() {
	f.Helper()
	require.Less(f, f.status().Mirror.LagBytes, int64(mirrorLog*5/4),
		"what was under way when the bound was reached, and no more")
}

// Calls fail while the database lacks as much of the log as may be kept for it, and change nothing.
func TestFull_RefuseFailsCallsAtOnce(t *testing.T) {
	t.Parallel()
	fill(t, node.Refuse, func(f *filled, back func()) {
		require.Equal(f, node.Refuse, f.status().Full.Policy)
		for name, call := range map[string]func() error{
			"write":    func() error { _, err := space.Write(f.ctx, f.sp, load{ID: -1}); return err },
			"take":     func() error { _, err := space.Take(f.ctx, f.sp, load{}, first0()...); return err },
			"take all": func() error { _, err := space.TakeAll(f.ctx, f.sp, load{}, 10); return err },
			"notify":   func() error { _, err := space.Notify(f.ctx, f.sp, load{}); return err },
		} {
			err := call()
			require.ErrorIs(f, err, space.ErrLogFull, name)
			require.ErrorIs(f, err, space.ErrUnavailable, name)
			require.NotErrorIs(f, err, space.ErrOutcomeUnknown, name)
		}
		tx, err := f.sp.Begin(f.ctx, time.Hour)
		require.NoError(f, err)
		_, err = space.Write(f.ctx, f.sp, load{ID: 7_000_000}, space.In(tx))
		require.NoError(f, err, "the log does not hear of it yet")
		require.ErrorIs(f, tx.Commit(f.ctx), space.ErrLogFull)
		f.requireReads()
		f.requireStopped()
		back()
		require.Eventually(f, func() bool { return tx.Commit(f.ctx) == nil }, time.Minute, time.Millisecond,
			"it is as it was")
		f.known[7_000_000] = true
		_, err = space.Take(f.ctx, f.sp, load{}, first0()...)
		require.NoError(f, err)
		delete(f.known, 0)
		f.requireKnown()
	})
}

// A server that is killed while calls wait is as full when it is back, and they are done once when the database is.
func TestFull_BlockOutlastsTheServer(t *testing.T) {
	t.Parallel()
	fill(t, node.Block, func(f *filled, back func()) {
		var calls sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			f.known[3_000_000+i] = true
			calls.Go(func() { _, errs[i] = space.Write(f.ctx, f.sp, load{ID: 3_000_000 + i}) })
		}
		before := f.status().Calls
		f.await("they wait", func(st fullState) bool { return st.Calls > before+uint64(len(errs)) })
		f.s.Kill()
		f.s.Start()
		f.await("it is full again", func(st fullState) bool { return st.Full.Full && st.Calls > uint64(len(errs)) })
		back()
		calls.Wait()
		for i, err := range errs {
			require.NoError(f, err, fmt.Sprint("write ", i))
		}
		f.requireKnown()
	})
}

// done is the result of a load.
type done struct{ ID int }

// Jobs are begun when there is room to commit them, and each is done once.
func TestFull_BlockLetsWorkWait(t *testing.T) {
	t.Parallel()
	fill(t, node.Block, func(f *filled, back func()) {
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		ended := make(chan error, 1)
		before := f.status().Calls
		go func() {
			ended <- work.Run(ctx, f.sp, load{}, func(ctx context.Context, j *work.Job[load]) error {
				_, err := space.Write(ctx, f.sp, done{j.Value.ID}, space.In(j.Txn))
				return err
			}, work.Config{Workers: 4})
		}()
		f.await("it waits", func(st fullState) bool { return st.Calls > before+2 })
		f.requireReads()
		back()
		require.Eventually(f, func() bool {
			n, err := space.Count(f.ctx, f.sp, done{})
			return err == nil && n == len(f.known)
		}, time.Minute, 10*time.Millisecond)
		cancel()
		require.NoError(f, <-ended)
		var ids []int
		for d, err := range space.Contents(f.ctx, f.sp, done{}) {
			require.NoError(f, err)
			ids = append(ids, d.ID)
		}
		require.ElementsMatch(f, slices.Collect(maps.Keys(f.known)), ids)
		clear(f.known)
		f.requireKnown()
	})
}

// A transaction, over several spaces, that is open when the log of one fills up is committed when there is room again.
func TestFull_BlockLetsCommitsWait(t *testing.T) {
	t.Parallel()
	fill(t, node.Block, func(f *filled, back func()) {
		tx, err := f.sp.Begin(f.ctx, time.Hour)
		require.NoError(f, err)
		_, err = space.Write(f.ctx, f.sp, load{ID: -1}, space.In(tx))
		require.NoError(f, err)
		_, err = space.Take(f.ctx, f.sp, load{}, space.In(tx), space.Wait(10*time.Millisecond))
		require.ErrorIs(f, err, space.ErrLogFull, "the log would hear of that")
		other := f.c.SpaceNamed("other")
		_, err = space.Write(f.ctx, other, done{1}, space.In(tx))
		require.NoError(f, err)
		committed := make(chan error, 1)
		before := f.status().Calls
		go func() { committed <- tx.Commit(f.ctx) }()
		f.await("the commit waits", func(st fullState) bool { return st.Calls > before+2 })
		_, err = tx.Lease().Renew(f.ctx, time.Hour)
		require.NoError(f, err, "the log does not hear of that")
		back()
		require.NoError(f, <-committed)
		require.Equal(f, 1, take(&kit{T: f.T, ctx: f.ctx, sp: other}, done{}).ID)
		f.known[-1] = true
		f.requireKnown()
	})
}
