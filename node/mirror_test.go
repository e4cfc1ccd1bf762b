package node_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// mirrorStatus is the part that the tests check.
type mirrorStatus struct {
	Log    struct{ First uint64 }
	Mirror struct {
		Position  uint64
		LagGroups uint64 `json:"lag_groups"`
	}
}

func statusOf(t *testing.T, n *node.Node) mirrorStatus {
	t.Helper()
	var st struct{ Spaces []mirrorStatus }
	require.NoError(t, json.Unmarshal(n.Status(), &st))
	return st.Spaces[0]
}

// While a database is away the log grows up to a limit. Beyond that, messages that the mirror still lacks are removed
// from the log, and the mirror continues from a snapshot when the database is back, even after a restart of the server.
func TestMirror_IsBasedOnASnapshotWhenTheLogHasGoneOn(t *testing.T) {
	t.Parallel()
	pg, dsn := spacetest.OwnPostgres(t)
	cfg := node.Config{Data: t.TempDir(), Postgres: dsn, SnapshotBytes: 256 << 10, MirrorLog: 1 << 20}
	n := open(t, cfg)
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	type Job struct {
		ID   int
		Data []byte
	}
	// work writes some jobs, and takes most of them.
	work := func() {
		var jobs []Job
		for i := range 100 {
			jobs = append(jobs, Job{i, make([]byte, 1000)})
		}
		_, err := space.WriteAll(t.Context(), c, jobs)
		require.NoError(t, err)
		_, err = space.TakeAll(t.Context(), c, Job{}, 97)
		require.NoError(t, err)
	}
	work()
	require.Eventually(t, func() bool { return statusOf(t, n).Mirror.LagGroups == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, pg.Kill())
	for st := statusOf(t, n); st.Log.First <= st.Mirror.Position+1; st = statusOf(t, n) {
		work()
	}

	require.NoError(t, c.Close())
	require.NoError(t, n.Close(context.Background()), "a database that is away holds up no exit")
	n = open(t, cfg)
	require.NoError(t, pg.Restart(t.Context()))
	c, err = client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	work()
	require.Eventually(t, func() bool { return statusOf(t, n).Mirror.LagGroups == 0 }, time.Minute, time.Millisecond)

	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	want, err := space.ReadAll(t.Context(), c, Job{}, 1_000_000)
	require.NoError(t, err)
	var rows int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM space_default.job`).Scan(&rows))
	require.Len(t, want, rows)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
}

// A database that hangs, without breaking a connection, does not delay the exit, and loses nothing.
func TestMirror_OfADatabaseThatHangsHoldsUpNoExit(t *testing.T) {
	t.Parallel()
	pg, dsn := spacetest.OwnPostgres(t)
	cfg := node.Config{Data: t.TempDir(), Postgres: dsn}
	n := open(t, cfg)
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	type Job struct{ ID int }
	write := func(id int) {
		_, err := space.Write(t.Context(), c, Job{id})
		require.NoError(t, err)
	}
	write(1)
	require.Eventually(t, func() bool { return statusOf(t, n).Mirror.LagGroups == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, pg.Pause())
	write(2)
	require.NoError(t, c.Close())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	require.NoError(t, n.Close(ctx))
	require.NoError(t, ctx.Err(), "it did not wait for the end of its time")
	require.NoError(t, pg.Continue())
	n = open(t, cfg)
	require.Eventually(t, func() bool { return statusOf(t, n).Mirror.LagGroups == 0 }, time.Minute, time.Millisecond)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	var rows int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM space_default.job`).Scan(&rows))
	require.Equal(t, 2, rows)
	require.NoError(t, n.Close(t.Context()))
}

// A power loss removes the end of a log, while the mirror has it. This is noticed even if the log has grown past that
// position before the mirror sees it.
func TestMirror_OfALogThatHasLostItsEndStops(t *testing.T) {
	t.Parallel()
	_, dsn := spacetest.OwnPostgres(t)
	type Job struct{ ID int }
	// work writes jobs to a server one after the other, and returns its status.
	work := func(cfg node.Config, jobs int) string {
		n := open(t, cfg)
		c, err := client.Dial(t.Context(), n.Addr())
		require.NoError(t, err)
		for i := range jobs {
			_, err := space.Write(t.Context(), c, Job{i})
			require.NoError(t, err)
		}
		if cfg.Postgres != "" {
			require.Eventually(t, func() bool {
				st := string(n.Status())
				return strings.Contains(st, "has lost its end") || statusOf(t, n).Mirror.LagGroups == 0
			}, time.Minute, time.Millisecond)
		}
		status := string(n.Status())
		require.NoError(t, c.Close())
		_ = n.Close(t.Context()) // reports a stopped mirror
		return status
	}
	data := t.TempDir()
	require.NotContains(t, work(node.Config{Data: data, Postgres: dsn}, 10), "lost its end")
	left := filepath.Join(t.TempDir(), "left")
	require.NoError(t, os.CopyFS(left, os.DirFS(data)))
	require.NotContains(t, work(node.Config{Data: data, Postgres: dsn}, 10), "lost its end")

	work(node.Config{Data: left}, 30)
	require.Contains(t, work(node.Config{Data: left, Postgres: dsn}, 0), "the log has lost its end")
	require.NotContains(t, work(node.Config{Data: data, Postgres: dsn}, 10), "lost its end",
		"its own log is as good as ever")
}
