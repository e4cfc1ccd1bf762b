package main

import (
	"cmp"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
	"github.com/gospaces/gospaces/template"
)

// order is what the tests of clusters write.
type order struct {
	Customer string `space:"customer,route"`
	N        int
}

func (order) Kind() string { return "order" }

// contentsOf returns the entries of a space at a server or a cluster, by identity.
func contentsOf(t *testing.T, addr, name string) (all []space.Entry) {
	t.Helper()
	c, err := client.DialConfig(t.Context(), client.Config{Addr: addr, Space: name})
	require.NoError(t, err)
	defer c.Close()
	for e, err := range c.Contents(t.Context(), space.Query{Templates: []*template.Template{{}}}) {
		require.NoError(t, err)
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b space.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// fillServer writes to spaces of a single server: to two, one of them of several partitions.
func fillServer(t *testing.T, s server) {
	t.Helper()
	s.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`, `{"id": 3}`)
	s.must(t, "write", "job", `{"id": 4}`, "--lease", "10h")
	s.must(t, "write", "job", `{"id": 5}`, "--delay", "10h")
	s.must(t, "take", "job", `{"id": 2}`)
	s.must(t, "spaces", "create", "orders", "--partitions", "3")
	c, err := client.DialConfig(t.Context(), client.Config{Addr: s.addr, Space: "orders"})
	require.NoError(t, err)
	defer c.Close()
	for i := range 50 {
		_, err := space.Write(t.Context(), c, order{string(rune('a' + i%10)), i})
		require.NoError(t, err)
	}
}

// sameContents requires that two servers, or clusters, have the same entries in some spaces.
func sameContents(t *testing.T, one, other string) {
	t.Helper()
	for name, n := range map[string]int{"default": 3, "orders": 50} {
		want := contentsOf(t, one, name)
		require.Len(t, want, n)
		require.Equal(t, want, contentsOf(t, other, name), name)
	}
}

// From one server to a cluster: a backup is restored into a cluster, whose nodes all have it.
func TestRestore_IntoACluster(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spaces.backup")
	s := serve(t, "--data", t.TempDir())
	fillServer(t, s)
	s.must(t, "backup", file)

	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Process: true})
	addr := c.Nodes[1].Addr
	r := cli(t, "restore", file, "--addr", addr)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "--addr means nothing without --cluster")
	r = cli(t, "restore", file, "--addr", addr, "--cluster")
	require.Zero(t, r.code, r.err)
	require.Equal(t, "{\"space\":\"default\"}\n{\"space\":\"orders\"}\n", r.out)
	sameContents(t, s.addr, c.Addrs())
	r = cli(t, "restore", file, "--addr", addr, "--cluster")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, `space "default" is not empty`)

	for _, n := range c.Nodes { // whichever leads
		n.Kill()
		sameContents(t, s.addr, c.Addrs())
		n.Start()
	}
	again, folder := filepath.Join(t.TempDir(), "again.backup"), filepath.Join(t.TempDir(), "data")
	r = cli(t, "backup", again, "--addr", addr)
	require.Zero(t, r.code, r.err)
	require.Contains(t, r.out, `"partition":2`)
	r = cli(t, "verify", again)
	require.Zero(t, r.code, r.err)
	r = cli(t, "write", "job", `{"id": 6}`, "--addr", addr)
	require.Zero(t, r.code, r.err)
	require.Equal(t, "{\"id\":1}\n", cli(t, "take", "job", "--addr", addr).out, "the oldest is the first")
	require.Equal(t, exitNoMatch, cli(t, "read", "job", `{"id": 5}`, "--addr", addr).code, "it is delayed")

	// The numbers of a restored space are ahead of the clock. One that is made under its name begins after them.
	entry := func() uint64 {
		cl := c.Dial(t, "orders")
		lease, err := space.Write(t.Context(), cl, order{N: 1000})
		require.NoError(t, err)
		return uint64(lease.ID()) % (1 << 52) // without the partition
	}
	before := entry()
	require.Zero(t, cli(t, "spaces", "drop", "orders", "--yes", "--addr", addr).code)
	require.Zero(t, cli(t, "spaces", "create", "orders", "--addr", addr).code)
	require.Greater(t, entry(), before)

	// And the other way.
	r = cli(t, "restore", again, "--data", folder)
	require.Zero(t, r.code, r.err)
	sameContents(t, s.addr, serve(t, "--data", folder).addr)
}

// The tables of a lost server fill a cluster, whose mirror goes on with them.
func TestLoad_IntoACluster(t *testing.T) {
	t.Parallel()
	dsn := spacetest.Postgres(t)
	s := serve(t, "--data", t.TempDir(), "--postgres", dsn)
	fillServer(t, s)
	want := map[string][]space.Entry{}
	for _, name := range []string{"default", "orders"} {
		want[name] = contentsOf(t, s.addr, name)
	}
	require.Zero(t, s.stop().code)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	writers := func() (n int) {
		require.NoError(t, db.QueryRow(`SELECT count(DISTINCT xmin::text) FROM space_orders."order"`).Scan(&n))
		return n
	}
	before := writers()

	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Process: true, Postgres: dsn})
	for requests := 9; unfinished(t, c.Addrs()) == 0; requests += 2 {
		_, ended := killedAfter(t, requests, "load", "--cluster", "--postgres", dsn, "--all", "--addr", c.Nodes[1].Addr)
		require.False(t, ended)
	}
	r := cli(t, "load", "--cluster", "--addr", c.Nodes[2].Addr, "--postgres", dsn, "--all")
	require.Zero(t, r.code, r.err)
	require.Contains(t, r.out, `"entries":{"order":50}`)
	for name, entries := range want {
		got := contentsOf(t, c.Addrs(), name)
		require.Len(t, got, len(entries))
		for i := range got {
			require.Equal(t, entries[i].ID, got[i].ID)
			require.Equal(t, entries[i].Fields(), got[i].Fields())
		}
	}
	require.Equal(t, before, writers(), "no row is written again")
	sp, err := client.DialConfig(t.Context(), client.Config{Addr: c.Addrs(), Space: "orders"})
	require.NoError(t, err)
	defer sp.Close()
	_, err = space.Write(t.Context(), sp, order{"z", 100})
	require.NoError(t, err)
	_, err = space.Take(t.Context(), sp, order{"a", 10})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var rows, left int
		err := db.QueryRow(`SELECT count(*), count(*) FILTER (WHERE n = 10) FROM space_orders."order"`).Scan(&rows, &left)
		return err == nil && rows == 50 && left == 0
	}, time.Minute, 20*time.Millisecond)

	r = cli(t, "load", "--cluster", "--addr", c.Nodes[2].Addr, "--postgres", dsn, "--all")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "is not empty")
}
