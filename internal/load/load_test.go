package load_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/load"
	"github.com/gospaces/gospaces/internal/postgres"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// killEnv tells this program, run again by a test, to load and be killed, and when.
const killEnv = "TEST_KILL_LOAD"

var pg *postgres.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if plan := os.Getenv(killEnv); plan != "" {
		return runKilled(context.Background(), plan)
	}
	var err error
	if pg, err = postgres.Start(context.Background(), postgres.Config{Out: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer pg.Stop()
	return m.Run()
}

// plan is the point at which a load is killed.
type plan struct {
	Dir, DSN string
	Calls    int  // of Progress before it is killed; 0: not there
	Done     bool // kill it once the space is loaded, while the folder is open
}

func runKilled(ctx context.Context, text string) int {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return 2
	}
	calls := 0
	err := load.Folder(ctx, load.Config{Dir: p.Dir, Postgres: p.DSN, Progress: func(string, uint64, uint64) {
		if calls++; calls == p.Calls {
			die()
		}
	}}, func(load.Space) error {
		if p.Done {
			die()
		}
		return nil
	})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// killed loads in a process that is killed at the planned point.
func killed(t *testing.T, p plan) {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), killEnv+"="+string(text)), t.Output()
	err = cmd.Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
}

type job struct {
	ID    int
	State string
	At    time.Time
	Tags  map[string]float64
}

func (job) Kind() string { return "job" }

// server is a node with a client.
type server struct {
	*node.Node
	c *client.Client
}

func serve(t *testing.T, dir, dsn string) server {
	t.Helper()
	n, err := node.Start(t.Context(),
		node.Config{Listen: "127.0.0.1:0", Data: dir, Postgres: dsn, Mirror: writeback.Modes{"draft": writeback.None}})
	require.NoError(t, err)
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	return server{n, c}
}

// close stops the server once its mirror has caught up.
func (s server) close(t *testing.T) {
	t.Helper()
	require.NoError(t, s.c.Close())
	require.NoError(t, s.Close(t.Context()))
}

// mirrored returns a database that mirrors a space with n jobs, the content of the space, and the folder of the stopped
// server.
func mirrored(t *testing.T, n int) (dsn, dir string, want []space.Entry) {
	t.Helper()
	dsn, err := pg.NewDatabase(t.Context())
	require.NoError(t, err)
	dir = t.TempDir()
	s := serve(t, dir, dsn)
	var jobs []job
	for i := range n {
		jobs = append(jobs, job{i, "new", time.Unix(int64(i), 123456789).UTC(), map[string]float64{"n": float64(i)}})
		if len(jobs) == 1000 || i == n-1 {
			_, err := space.WriteAll(t.Context(), s.c, jobs, space.For(24*time.Hour))
			require.NoError(t, err)
			jobs = nil
		}
	}
	want = entries(t, s.c)
	require.Len(t, want, n)
	s.close(t)
	return dsn, dir, want
}

// entries returns the entries of a space by identity, without their versions.
func entries(t *testing.T, sp space.Space) (all []space.Entry) {
	t.Helper()
	for e, err := range sp.Contents(t.Context(), space.Query{Templates: []*template.Template{{}}}) {
		require.NoError(t, err)
		e.Version = 0
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b space.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func folder(t *testing.T, dir, dsn string) (loaded []load.Space, err error) {
	t.Helper()
	err = load.Folder(t.Context(), load.Config{Dir: dir, Postgres: dsn}, func(s load.Space) error {
		loaded = append(loaded, s)
		return nil
	})
	return loaded, err
}

// rows counts the rows of a table, and the transactions that have written them.
func rows(t *testing.T, dsn, table string) (n, writers int) {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(`SELECT count(*), count(DISTINCT xmin::text) FROM `+table).Scan(&n, &writers))
	return n, writers
}

func TestFolder_TheSpaceIsWhatTheTablesAreAndTheMirrorGoesOn(t *testing.T) {
	t.Parallel()
	dsn, _, want := mirrored(t, 2000)
	dir := filepath.Join(t.TempDir(), "new")
	loaded, err := folder(t, dir, dsn)
	require.NoError(t, err)
	require.Len(t, loaded, 1)
	require.Equal(t, "default", loaded[0].Name)
	require.Equal(t, []writeback.KindRows{{Name: "job", Entries: 2000}}, loaded[0].Kinds)

	_, writers := rows(t, dsn, "space_default.job")
	for range 2 { // a second start does not load again
		s := serve(t, dir, dsn)
		require.Equal(t, want, entries(t, s.c))
		s.close(t)
	}
	n, same := rows(t, dsn, "space_default.job")
	require.Equal(t, []int{2000, writers}, []int{n, same}, "no row was written again")

	s := serve(t, dir, dsn)
	granted, err := s.c.Renew(t.Context(), time.Hour, want[20].ID)
	require.NoError(t, err)
	require.Equal(t, time.Hour, granted[0].Granted)
	for i := range 10 {
		j, err := space.Take(t.Context(), s.c, job{})
		require.NoError(t, err)
		require.Equal(t, i, j.ID)
	}
	l, err := space.Write(t.Context(), s.c, job{ID: -1})
	require.NoError(t, err)
	require.Greater(t, l.ID(), want[len(want)-1].ID)
	want = entries(t, s.c)
	s.close(t)
	n, _ = rows(t, dsn, "space_default.job")
	require.Equal(t, len(want), n)

	again := filepath.Join(t.TempDir(), "again")
	_, err = folder(t, again, dsn)
	require.NoError(t, err)
	s = serve(t, again, "")
	defer s.close(t)
	require.Equal(t, want, entries(t, s.c))
}

// A space of several partitions is loaded as such: each entry where it was, and new ones beside them.
func TestFolder_ASpaceOfSeveralPartitions(t *testing.T) {
	t.Parallel()
	dsn, err := pg.NewDatabase(t.Context())
	require.NoError(t, err)
	s := serve(t, t.TempDir(), dsn)
	jobs := s.c.SpaceNamed("jobs")
	require.NoError(t, s.c.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
	for i := range 100 {
		_, err := space.Write(t.Context(), jobs, job{ID: i, State: "new"})
		require.NoError(t, err)
	}
	want := entries(t, jobs)
	s.close(t)

	dir := filepath.Join(t.TempDir(), "new")
	loaded, err := folder(t, dir, dsn)
	require.NoError(t, err)
	require.Len(t, loaded, 2)
	require.Equal(t, "jobs", loaded[1].Name)
	require.Equal(t, 3, loaded[1].Partitions)
	require.EqualValues(t, 100, loaded[1].Entries)
	s = serve(t, dir, dsn)
	jobs = s.c.SpaceNamed("jobs")
	require.Equal(t, want, entries(t, jobs))
	for i := range 30 {
		_, err := space.Write(t.Context(), jobs, job{ID: 100 + i})
		require.NoError(t, err)
	}
	require.Len(t, entries(t, jobs), 130)
	s.close(t)
	n, _ := rows(t, dsn, "space_jobs.job")
	require.Equal(t, 130, n)
	loaded, err = folder(t, dir, dsn)
	require.ErrorIs(t, err, load.ErrSameLog)
	require.Empty(t, loaded)
}

func TestFolder_RefusesWhatMustNotBeLoaded(t *testing.T) {
	t.Parallel()
	dsn, old, _ := mirrored(t, 3)
	_, err := folder(t, old, dsn)
	require.ErrorIs(t, err, load.ErrSameLog)

	full := t.TempDir()
	s := serve(t, full, "")
	_, err = folder(t, full, dsn)
	require.ErrorContains(t, err, "is in use by another process")
	_, err = space.Write(t.Context(), s.c, job{ID: 7})
	require.NoError(t, err)
	s.close(t)
	_, err = folder(t, full, dsn)
	require.ErrorIs(t, err, load.ErrNotEmpty)
	require.ErrorContains(t, err, `space "default": load: the space is not empty: entries: 1`)
	s = serve(t, full, "")
	require.Len(t, entries(t, s.c), 1)
	_, err = space.Take(t.Context(), s.c, job{})
	require.NoError(t, err)
	s.close(t)

	_, err = folder(t, full, dsn)
	require.NoError(t, err, "it had entries once, and has none now")
	loaded, err := folder(t, full, dsn)
	require.NoError(t, err)
	require.True(t, loaded[0].Earlier)
	s = serve(t, full, "")
	require.Len(t, entries(t, s.c), 3)
	for range 3 {
		_, err = space.Take(t.Context(), s.c, job{})
		require.NoError(t, err)
	}
	s.close(t)
	_, err = folder(t, full, dsn)
	require.ErrorContains(t, err, "it was loaded from these tables and has gone on since",
		"what was taken must not come again")

	s = serve(t, full, dsn)
	s.close(t)
	n, _ := rows(t, dsn, "space_default.job")
	require.Zero(t, n, "the mirror goes on from what was loaded, even if it comes late")

	nothing := filepath.Join(t.TempDir(), "nothing")
	err = load.Folder(t.Context(), load.Config{Dir: nothing, Postgres: dsn, Spaces: []string{"nope"}}, nil)
	require.ErrorIs(t, err, writeback.ErrNoMirror)
	require.NoDirExists(t, nothing)
	empty, err := pg.NewDatabase(t.Context())
	require.NoError(t, err)
	_, err = folder(t, nothing, empty)
	require.ErrorIs(t, err, writeback.ErrNoMirror)
}

func TestFolder_AnErrorLeavesNothing(t *testing.T) {
	t.Parallel()
	dsn, _, _ := mirrored(t, 5)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`UPDATE space_default.job SET at = '-infinity' WHERE id = 3`)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = folder(t, dir, dsn)
	require.ErrorContains(t, err, `column "at": it does not fit the schema`)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	s := serve(t, dir, "") // existing spaces stay
	s.close(t)
	_, err = folder(t, dir, dsn)
	require.ErrorContains(t, err, `column "at": it does not fit the schema`)
	_, err = db.Exec(`UPDATE space_default.job SET at = now() WHERE id = 3`)
	require.NoError(t, err)
	_, err = folder(t, dir, dsn)
	require.NoError(t, err)
}

// Wherever a load is killed, the space is empty or complete, and loading again completes it.
func TestFolder_KilledOnTheWay(t *testing.T) {
	t.Parallel()
	dsn, _, want := mirrored(t, 10_000)
	for name, p := range map[string]plan{
		"at the first rows": {Calls: 1}, "in the middle": {Calls: 2},
		"at the end": {Done: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.Dir, p.DSN = filepath.Join(t.TempDir(), "data"), dsn
			killed(t, p)
			if p.Done {
				s := serve(t, p.Dir, "")
				require.Equal(t, want, entries(t, s.c))
				s.close(t)
				return
			}
			s := serve(t, p.Dir, "") // part of it must not be served
			require.Empty(t, entries(t, s.c))
			s.close(t)
			loaded, err := folder(t, p.Dir, dsn)
			require.NoError(t, err)
			require.False(t, loaded[0].Earlier)
			s = serve(t, p.Dir, "")
			require.Equal(t, want, entries(t, s.c))
			s.close(t)
		})
	}
}

// A damaged snapshot is an error: skipping it would start an empty space.
func TestFolder_ADamagedSnapshotIsNoEmptySpace(t *testing.T) {
	t.Parallel()
	dsn, _, _ := mirrored(t, 5)
	dir := t.TempDir()
	_, err := folder(t, dir, dsn)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "default-0", "*.snapshot"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[len(b)-20]++
	require.NoError(t, os.WriteFile(files[0], b, 0o640))
	_, err = node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.ErrorIs(t, err, replication.ErrBadSnapshot)
}
