package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
)

func TestServe_KeepsEntriesAcrossRestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := serve(t, "--data", data)
	first.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`)
	first.must(t, "take", "job", `{"id": 1}`)
	require.Zero(t, first.stop().code)

	second := serve(t, "--data", data)
	require.Equal(t, `{"id":2}`+"\n", second.must(t, "read", "job", "--all"))
}

func TestServe_SettingsFromFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gospaces.conf")
	require.NoError(t, os.WriteFile(path, []byte("data = "+filepath.Join(dir, "data")+"\nmax-entry = 100\n"), 0o600))
	s := serve(t, "--config", path)
	require.DirExists(t, filepath.Join(dir, "data"))
	r := s.do(t, "write", "job", `{"text": "`+strings.Repeat("x", 101)+`"}`)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "too large")
}

func TestServe_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	running := serve(t, "--data", t.TempDir())
	short := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(short, []byte("short"), 0o600))
	const local = "a=127.0.0.1:6221,b=127.0.0.1:6222,c=127.0.0.1:6223"
	member := func(args ...string) []string {
		return append([]string{"--cluster", "x", "--node", "a", "--peers", local}, args...)
	}
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{
			exitError, "--listen is " + running.addr + ", where the node cannot listen",
			[]string{"--durability", "memory", "--listen", running.addr},
		},
		{
			exitError, "--admin is " + running.addr + ", where the node cannot listen",
			[]string{"--durability", "memory", "--admin", running.addr},
		},
		{exitUsage, `--listen is "foo"; write HOST:PORT`, []string{"--listen", "foo"}},
		{exitUsage, `--admin is "foo"; write HOST:PORT`, []string{"--admin", "foo"}},
		{exitUsage, `--durability is "paper"; it is memory, logged or synced`, []string{"--durability", "paper"}},
		{
			exitUsage, "--postgres needs a log, which the mirror reads: --durability is memory",
			[]string{"--durability", "memory", "--postgres", "dbname=x"},
		},
		{exitUsage, `--mirror-full is "x"; it is rebase, block or refuse`, []string{"--mirror-full", "x"}},
		{exitUsage, "--postgres-conns is 9999; it is ", []string{"--postgres-conns", "9999"}},
		{exitUsage, "--mirror-lanes is 9999; it is ", []string{"--mirror-lanes", "9999"}},
		{exitUsage, "--max-entry must be positive", []string{"--max-entry", "0"}},
		{exitUsage, "--max-entry is 1073741824; it is ", []string{"--max-entry", "1073741824"}},
		{exitUsage, "--max-kinds is 99999999; it is ", []string{"--max-kinds", "99999999"}},
		{exitUsage, "--max-memory is 1024 bytes; a server needs 64 MiB", []string{"--max-memory", "1KiB"}},
		{exitUsage, "--mirror-log must be positive", []string{"--mirror-log", "-1"}},
		{exitUsage, "--flush-timeout must not be negative", []string{"--flush-timeout", "-1s"}},
		{exitUsage, "--patience must be positive", member("--patience", "0")},
		{exitUsage, `--patience: "x" is not a number`, member("--patience", "x")},
		{exitUsage, "--patience is 1000; it is a factor", member("--patience", "1000")},
		{exitUsage, "--patience is NaN; it is a factor", member("--patience", "NaN")},
		{exitUsage, "--replicas is 5: more than the 3 nodes in --peers", member("--replicas", "5")},
		{exitUsage, "--replicas is 99; it is 1 to ", member("--replicas", "99")},
		{exitUsage, `--durability is "logged"; it is replicated, `, member("--durability", "logged")},
		{exitUsage, "--accept-loss is not for a node of a cluster", member("--accept-loss")},
		{exitUsage, `--cluster-listen is "foo"; write HOST:PORT`, member("--cluster-listen", "foo")},
		{exitUsage, `--advertise is "foo"; write HOST:PORT`, member("--advertise", "foo")},
		{exitUsage, "--cluster-key-file has 5 bytes; it must have 16 or more", member("--cluster-key-file", short)},
		{exitUsage, "--cluster-key-file or --cluster-cert is missing", member("--cluster-listen", "0.0.0.0:6221")},
		{exitUsage, `--cluster is "X Y"; a name has`, member("--cluster", "X Y")},
		{exitUsage, "--peers lacks this node: add d=HOST:PORT", member("--node", "d")},
		{exitUsage, "--peers names 1 of the nodes", member("--peers", "a=127.0.0.1:6221")},
		{exitUsage, `--peers has "b"; each node is given as NAME=HOST:PORT`, member("--peers", "a=127.0.0.1:6221,b")},
		{exitUsage, "--cluster needs --node", []string{"--cluster", "x", "--peers", local}},
		{exitUsage, "--cluster needs --node", []string{"--cluster", "x", "--node", "a"}},
		{exitUsage, "--zone is for a node of a cluster: name the cluster with --cluster", []string{"--zone", "x"}},
		{exitUsage, "--replicas is for a node of a cluster", []string{"--replicas", "5"}},
		{exitUsage, "--nats is for a node of a cluster", []string{"--nats", "nats://127.0.0.1:1"}},
		{exitUsage, "name that with --nats", member("--creds", short)},
		{exitUsage, "--peers lacks this node: add a", member("--peers", "b,c,d", "--nats", "nats://127.0.0.1:1")},
		{
			exitUsage, `--durability is "replicated-synced"; it is replicated or replicated-memory`,
			member("--nats", "nats://127.0.0.1:1", "--durability", "replicated-synced"),
		},
		{
			exitUsage, "--cluster-key-file is not for nodes that use --nats: they do not listen for each other",
			member("--nats", "nats://127.0.0.1:1", "--cluster-key-file", short),
		},
		{
			exitUsage, "--advertise is missing: this node listens on all addresses",
			member("--nats", "nats://127.0.0.1:1", "--listen", ":7420"),
		},
	} {
		r := cli(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, c.args...)...)
		require.Equal(t, c.code, r.code, "%v: %s", c.args, r.err)
		require.Contains(t, r.err, c.says)
	}
}

// A folder belongs to one node, or to a server that is alone.
func TestServe_NamesTheFolderOfAnother(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	require.Zero(t, serve(t, "--data", data).stop().code)
	r := cli(t, "serve", "--listen", "127.0.0.1:0", "--data", data, "--cluster", "x", "--node", "a",
		"--peers", "a=127.0.0.1:6221,b=127.0.0.1:6222,c=127.0.0.1:6223")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "belongs to a single server and cannot be opened for node a of cluster x: "+
		"name another folder with --data")
}

// Messages about settings name flags. Each field of the configuration has one, unless programs alone set it.
func TestServe_EachSettingHasAFlag(t *testing.T) {
	t.Parallel()
	flags := (&app{}).serveCommand().Flags()
	for name, flag := range flagOf {
		require.NotNil(t, flags.Lookup(flag), name)
	}
	require.Equal(t, []string{"MaxCall", "MaxLog", "Resume", "Logger", "Version"}, fieldsWithoutFlag("", node.Config{}))
	require.Empty(t, fieldsWithoutFlag("Cluster.", node.Cluster{}))
	require.Equal(t, []string{"Limits.Client"}, fieldsWithoutFlag("Limits.", node.Limits{}))
	require.Empty(t, fieldsWithoutFlag("Limits.Client.", node.ClientLimits{}))
	require.Equal(t, "--cluster-key-file and --data of None", withFlags("Cluster.Key and Data of None"))
}

// fieldsWithoutFlag returns the exported fields of a struct that have no flag, and no fields of their own.
func fieldsWithoutFlag(prefix string, config any) (names []string) {
	for f := range reflect.TypeOf(config).Fields() {
		name := prefix + f.Name
		if flagOf[name] == "" && f.IsExported() && name != "Cluster" && name != "Limits" {
			names = append(names, name)
		}
	}
	return names
}

// A node that cannot find a majority says so to those who ask it.
func TestServe_TellsThatItWaitsForAMajority(t *testing.T) {
	t.Parallel()
	at := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
	peers := fmt.Sprintf("a=%[1]s1:6222,b=%[1]s2:6222,c=%[1]s3:6222", at)
	ctx, interrupt := context.WithCancel(t.Context())
	log, logged := io.Pipe()
	done := make(chan int, 1)
	go func() {
		args := []string{
			"serve", "--cluster", "x", "--node", "a", "--peers", peers,
			"--listen", at + "1:7420", "--data", t.TempDir(),
		}
		done <- run(ctx, args, getenv(nil), strings.NewReader(""), io.Discard, logged)
		logged.Close()
	}()
	const why = "waits for a majority: 1 of 3 nodes are there; not there: b, c"
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), why) {
		t.Log(lines.Text())
	}
	go io.Copy(io.Discard, log)
	for _, args := range [][]string{{"status"}, {"cluster", "status"}, {"read", "job"}} {
		r := cli(t, append(args, "--addr", at+"1:7420")...)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, "starting: it "+why)
	}
	interrupt()
	require.Equal(t, exitError, <-done)
}
