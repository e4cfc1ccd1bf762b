package node_test

import (
	"encoding/json"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/bench"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

func open(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	n, err := node.Start(t.Context(), cfg)
	require.NoError(t, err)
	return n
}

func TestStart_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for want, cfg := range map[string]node.Config{
		`Durability is "safe"; it is memory, logged or synced`: {Data: dir, Durability: "safe"},
		"Postgres needs a log, which the mirror reads":         {Durability: node.Memory, Postgres: "postgres://"},
		"Data is empty":                      {},
		"MaxEntry is 1073741824; it is":      {Data: dir, MaxEntry: 1 << 30},
		"MaxLease is negative":               {Data: dir, MaxLease: -1},
		"Limits.Memory is 5 bytes; a server": {Data: dir, Limits: node.Limits{Memory: 5}},
	} {
		cfg.Listen = "127.0.0.1:0"
		_, err := node.Start(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, new(*node.SettingError))
	}
	_, err := node.Start(t.Context(), node.Config{Listen: "nowhere:x", Data: dir})
	require.ErrorContains(t, err, `Listen is "nowhere:x"; write HOST:PORT`)
}

func TestStart_FolderInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, node.Config{Data: dir})
	_, err := node.Start(t.Context(), node.Config{Listen: "127.0.0.1:0", Data: dir})
	require.ErrorContains(t, err, dir)
	require.NoError(t, n.Close(t.Context()))
}

func TestNode_SpacesAreSeparateBoundedAndThereAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type Job struct{ ID int }
	n := open(t, node.Config{Data: dir, Limits: node.Limits{Spaces: 2}})
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	other := c.SpaceNamed("other")
	_, err = space.Write(t.Context(), other, Job{ID: 7})
	require.NoError(t, err)
	count, err := space.Count(t.Context(), c, Job{})
	require.NoError(t, err)
	require.Zero(t, count)
	_, err = space.Write(t.Context(), c.SpaceNamed("third"), Job{ID: 8})
	require.ErrorIs(t, err, space.ErrSpaceFull, "there are two")
	_, err = c.SpaceNamed("no/name").Kinds(t.Context())
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))

	n = open(t, node.Config{Data: dir})
	require.Equal(t, []string{"default", "other"}, n.Names())
	c, err = client.DialConfig(t.Context(), client.Config{Addr: n.Addr(), Space: "other"})
	require.NoError(t, err)
	job, err := space.Take(t.Context(), c, Job{})
	require.NoError(t, err)
	require.Equal(t, 7, job.ID)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
}

func TestNode_StatusTells(t *testing.T) {
	t.Parallel()
	n := open(t, node.Config{Data: t.TempDir()})
	defer func() { require.NoError(t, n.Close(t.Context())) }()
	var status struct {
		Durability string
		RSS        int64 `json:"rss_bytes"`
		Spaces     []struct {
			Name string
			Log  struct{ Last uint64 }
		}
	}
	require.Eventually(t, func() bool {
		status.Spaces = nil
		require.NoError(t, json.Unmarshal(n.Status(), &status))
		return status.Spaces[0].Log.Last == 2
	}, time.Minute, time.Millisecond, "the claim, and where identities begin")
	require.Equal(t, node.Logged, status.Durability)
	require.Positive(t, status.RSS)
	require.Equal(t, "default", status.Spaces[0].Name)
}

// Every workload of the benchmark runs, leaves the space empty, and reports its figure.
func TestBench_EveryWorkloadRuns(t *testing.T) {
	t.Parallel()
	n := open(t, node.Config{Durability: node.Memory})
	defer func() { require.NoError(t, n.Close(t.Context())) }()
	idle := func(r bench.Result) bool { return r.Ops == 0 }
	seen := map[string]bool{}
	run := func(workload string) []bench.Result {
		for d := 20 * time.Millisecond; ; d *= 4 { // a busy machine takes longer
			results, err := bench.Run(t.Context(), bench.Options{
				Addr: n.Addr(), Workloads: []string{workload}, Callers: []int{1, 2}, Conns: []int{1}, Duration: d,
				Backlog: 2000, Out: io.Discard,
			})
			require.NoError(t, err)
			if !slices.ContainsFunc(results, idle) {
				return results
			}
		}
	}
	var results []bench.Result
	for _, workload := range bench.Workloads() {
		results = append(results, run(workload)...)
	}
	for _, r := range results {
		seen[r.Workload] = true
		require.Positive(t, r.P50, r.Workload)
		require.GreaterOrEqual(t, r.P999, r.P50, r.Workload)
		require.Equal(t, node.Memory, r.Durability)
	}
	for _, name := range []string{"echo", "write", "take", "jobs", "seq", "match", "backlog-fill", "backlog-drain"} {
		require.True(t, seen[name], name)
	}
	c, err := client.DialConfig(t.Context(), client.Config{Addr: n.Addr(), Space: "bench"})
	require.NoError(t, err)
	count, err := space.Count(t.Context(), c, bench.Job{})
	require.NoError(t, err)
	require.Zero(t, count)
	require.NoError(t, c.Close())

	_, err = bench.Run(t.Context(), bench.Options{Addr: n.Addr(), Workloads: []string{"nap"}})
	require.ErrorContains(t, err, `there is no workload "nap"`)
}
