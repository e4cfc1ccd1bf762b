package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/spacetest"
)

// succeeds runs a command that may be repeated until it succeeds: the nodes of a test on a busy machine may lose sight
// of each other for a moment.
func succeeds(t *testing.T, addrs string, args ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		r := cli(t, append([]string{"--addr", addrs}, args...)...)
		return r.code == exitOK
	}, 3*time.Minute, 50*time.Millisecond, "%v", args)
}

// Any node tells of itself and of the cluster, also if it serves nothing and no node does.
func TestCluster_IsToldByTheNodeThatIsAsked(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	settled := func() bool { return cli(t, "--addr", c.Addrs(), "cluster", "status").code == exitOK }
	require.Eventually(t, settled, time.Minute, 50*time.Millisecond)
	require.Equal(t, exitOK, cli(t, "--addr", c.Addrs(), "spaces", "create", "jobs", "--partitions", "2").code)
	require.Equal(t, exitOK, cli(t, "--addr", c.Addrs(), "write", "job", `{"id": 1}`).code)
	require.Eventually(t, settled, time.Minute, 50*time.Millisecond)

	require.Eventually(t, func() bool { // on a busy machine another node may just be about to lead
		leads := 0
		for _, n := range c.Nodes {
			var st status
			r := cli(t, "--addr", n.Addr, "status")
			if json.Unmarshal([]byte(r.out), &st) != nil || st.Cluster.Node != n.Name || len(replicas(st.Spaces)) != 3 {
				return false
			}
			for _, line := range replicas(st.Spaces) {
				switch {
				case line.Role == "primary" && line.Terms > 0:
					leads++
				case line.Role != "follower":
					return false
				}
			}
		}
		return leads == 3
	}, time.Minute, 50*time.Millisecond, "each partition is led once")
	for _, n := range c.Nodes {
		r := cli(t, "--addr", n.Addr, "status", "--json=false")
		require.Regexp(t, regexp.MustCompile(`(?m)^node +`+n.Name+` of cluster test$`), r.out)
		require.Regexp(t, regexp.MustCompile(`(?m)^jobs/1 +\w+ +0 `), r.out)

		require.Eventually(t, func() bool {
			r = cli(t, "--addr", n.Addr, "cluster", "status")
			return r.code == exitOK
		}, time.Minute, 50*time.Millisecond)
		require.Contains(t, r.out, `"node":"`+n.Name+`"`)

		var topology client.Topology
		r = cli(t, "--addr", n.Addr, "cluster", "topology")
		require.NoError(t, json.Unmarshal([]byte(r.out), &topology), r.err)
		require.Len(t, topology.Nodes, 3)
		require.Len(t, topology.Places, 3)
	}
	r := cli(t, "--addr", c.Addrs(), "cluster", "move", "jobs/1", "--to", "b,c,a", "--dry-run")
	require.Equal(t, exitOK, r.code, r.err)
	require.Contains(t, r.out, `{"space":"jobs","partition":1,"to":["b","c","a"]}`+"\n")
	r = cli(t, "--addr", c.Addrs(), "cluster", "move", "jobs/1", "--to", "b,c", "--dry-run")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "name as many nodes, not 2")
	for _, to := range []string{"a,b,c", "b,c,a", "c,a,b"} { // the first leads at once, however even that is
		succeeds(t, c.Addrs(), "cluster", "move", "jobs/1", "--to", to)
	}
	require.Eventually(t, settled, time.Minute, 50*time.Millisecond)
	succeeds(t, c.Addrs(), "cluster", "drain", "a", "--primaries")
	r = cli(t, "--addr", c.Addrs(), "cluster", "move", "jobs/1", "--to", "a,b,c")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, `node "a" is drained, and leads nothing at present: name another one`)
	require.Eventually(t, func() bool { // a drained node leads nothing, and no move waits for it
		var st clusterStatus
		r := cli(t, "--addr", c.Addrs(), "cluster", "status")
		if json.Unmarshal([]byte(r.out), &st) != nil {
			return false
		}
		for _, p := range st.Partitions {
			if p.Primary == "" || p.Primary == "a" || len(p.Target) > 0 {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond)
	succeeds(t, c.Addrs(), "cluster", "drain", "a", "--undo")
	require.Eventually(t, settled, time.Minute, 50*time.Millisecond)

	create := func(args ...string) result {
		return cli(t, append([]string{"--addr", c.Addrs(), "spaces", "create"}, args...)...)
	}
	require.Equal(t, exitOK, create("single", "--replicas", "1").code)
	require.Equal(t, exitOK, create("single").code, "it is there")
	require.Contains(t, create("single", "--replicas", "2").err, `space "single" is there, and has 1 replicas, not 2`)
	require.Contains(t, create("five", "--replicas", "5").err,
		"a space of 5 replicas needs as many nodes, and there are 3")
	require.Contains(t, create("six", "--replicas", "6").err, "a space with 6 replicas; it has 1 to 5")

	succeeds(t, c.Addrs(), "cluster", "move", "jobs/1", "--to", "a,b,c")
	c.Nodes[1].Kill()
	c.Nodes[2].Kill()
	require.Eventually(t, func() bool { // it has no calls, and leads
		r := cli(t, "--addr", c.Nodes[0].Addr, "status", "--json=false")
		return strings.Contains(r.out, "jobs/1: calls wait: no majority: 1 of 3 nodes with its log are alive")
	}, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		r := cli(t, "--addr", c.Nodes[0].Addr, "cluster", "status")
		return r.code == exitError && strings.Contains(r.err, "node b is silent") &&
			strings.Contains(r.err, "jobs/1") && strings.Contains(r.err, "no majority: 1 of 3 nodes with its log are alive")
	}, time.Minute, 50*time.Millisecond)
	r = cli(t, "--addr", c.Nodes[0].Addr, "cluster", "status", "--json=false")
	require.Regexp(t, regexp.MustCompile(`(?m)^spaces can be neither made nor moved: .*$`), r.out)
	require.Regexp(t, `the cluster is degraded: \d+ problems, named above`, r.err)
	for _, command := range []string{
		"cluster move jobs/1 --to b,c,a", "cluster move jobs/1 --to b,c,a --wait=false",
		"cluster drain c", "cluster drain c --undo",
		"cluster forget c", "cluster rebalance", "cluster rebalance --dry-run",
	} {
		r := cli(t, append([]string{"--addr", c.Nodes[0].Addr}, strings.Fields(command)...)...)
		require.Equal(t, exitError, r.code, command)
		require.Equal(t, "gospaces: unavailable: no majority: 1 of 3 nodes are there; not there: b, c\n", r.err,
			command)
	}
	file := filepath.Join(t.TempDir(), "x.backup")
	for _, command := range []string{"spaces list", "spaces create new", "spaces drop jobs --yes", "backup " + file} {
		r := cli(t, append([]string{"--addr", c.Nodes[0].Addr}, strings.Fields(command)...)...)
		require.Equal(t, exitError, r.code, command)
		require.Equal(t, "gospaces: control partition: no majority: 1 of 3 nodes with its log are alive: see "+
			"`gospaces cluster status`\n", r.err, command)
	}
}

func TestCluster_ServerThatIsAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, "--durability", "memory")
	for _, command := range []string{"status", "topology"} {
		r := cli(t, "--addr", s.addr, "cluster", command)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, "is not a node of a cluster: start one with `gospaces serve --cluster`")
	}
	require.Equal(t, exitOK, cli(t, "--addr", s.addr, "spaces", "create", "jobs", "--replicas", "1").code)
	r := cli(t, "--addr", s.addr, "spaces", "create", "jobs", "--replicas", "3")
	require.Contains(t, r.err, "this server is not a node of a cluster, and has the only one")
}

// A node that will not come back is drained and forgotten, also one of those that keep the control partition.
func TestCluster_ALostNodeIsForgotten(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Nodes: 4})
	rest := strings.Join([]string{c.Nodes[1].Addr, c.Nodes[2].Addr, c.Nodes[3].Addr}, ",")
	settled := func() bool { return cli(t, "--addr", rest, "cluster", "status").code == exitOK }
	require.Eventually(t, settled, time.Minute, 50*time.Millisecond)
	require.Equal(t, exitOK, cli(t, "--addr", rest, "write", "job", `{"id": 1}`).code)
	require.Equal(t, exitOK, cli(t, "--addr", rest, "spaces", "create", "jobs").code)

	r := cli(t, "--addr", rest, "cluster", "forget", "a")
	require.Equal(t, exitError, r.code)
	require.Regexp(t, `has a replica of .*: drain it first|"a" is alive: stop it first`, r.err)
	r = cli(t, "--addr", rest, "cluster", "drain", "a", "--dry-run")
	require.Equal(t, exitOK, r.code, r.err)
	require.NotContains(t, r.out, `"a"`, "what it has goes to others")
	r = cli(t, "--addr", rest, "cluster", "status")
	require.NotContains(t, r.out, `"drained":true`, "nothing was changed")
	c.Nodes[0].Kill()
	r = cli(t, "--addr", rest, "cluster", "drain", "a")
	require.Equal(t, exitOK, r.code, r.err)
	require.Eventually(t, func() bool { // it is alive until the others suspect it
		r = cli(t, "--addr", rest, "cluster", "forget", "a", "--dry-run")
		return r.code == exitOK
	}, time.Minute, 50*time.Millisecond, "%+v", r)
	require.Empty(t, r.out)
	require.Equal(t, "nothing would be moved\n", r.err)
	require.Contains(t, cli(t, "--addr", rest, "cluster", "status").out, `"name":"a"`)
	require.Eventually(t, func() bool {
		r = cli(t, "--addr", rest, "cluster", "forget", "a")
		return r.code == exitOK
	}, time.Minute, 50*time.Millisecond, "%+v", r)

	require.Eventually(t, settled, time.Minute, 50*time.Millisecond)
	r = cli(t, "--addr", rest, "cluster", "status")
	require.NotContains(t, r.out, `"name":"a"`)
	require.NotContains(t, r.out, `"node":"a"`)
	r = cli(t, "--addr", rest, "count", "job")
	require.Equal(t, "1\n", r.out, r.err)
}
