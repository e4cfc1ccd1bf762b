package replication

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// peers returns some nodes, four at most, each with an address of this machine that no other test has.
func peers(n int) (all []Peer) {
	net := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
	first := rand.IntN(63)
	for i, name := range []string{"a", "b", "c", "d"}[:n] {
		all = append(all, Peer{name, fmt.Sprint(net, 4*first+i+1, ":6222")})
	}
	return all
}

// trio is a cluster in this process, mostly of three nodes.
type trio struct {
	t      testing.TB
	cfg    Config
	dirs   []string
	stores []*Store
}

func newTrio(t testing.TB, change func(*Config)) *trio {
	t.Helper()
	return newNodes(t, 3, change)
}

func newNodes(t testing.TB, n int, change func(*Config)) *trio {
	t.Helper()
	k := &trio{t: t, cfg: Config{Cluster: &Cluster{Name: "test", Peers: peers(n)}}, stores: make([]*Store, n)}
	if change != nil {
		change(&k.cfg)
	}
	all := make([]int, n)
	for i := range k.stores {
		k.dirs = append(k.dirs, t.TempDir())
		all[i] = i
	}
	k.start(all...)
	t.Cleanup(func() { k.stop(all...) })
	return k
}

// config returns the configuration of a node.
func (k *trio) config(i int) Config {
	cfg, cluster := k.cfg, *k.cfg.Cluster
	cluster.Node = cluster.Peers[i].Name
	cfg.Dir, cfg.Cluster = k.dirs[i], &cluster
	return cfg
}

// start starts nodes, and returns when all serve.
func (k *trio) start(nodes ...int) {
	k.t.Helper()
	var all sync.WaitGroup
	errs := make([]error, len(k.stores))
	for _, i := range nodes {
		all.Go(func() { k.stores[i], errs[i] = Open(context.WithoutCancel(k.t.Context()), k.config(i)) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(k.t, err)
	}
}

func (k *trio) stop(nodes ...int) {
	var all sync.WaitGroup
	for _, i := range nodes {
		if s := k.stores[i]; s != nil {
			all.Go(func() { _ = s.Close() })
			k.stores[i] = nil
		}
	}
	all.Wait()
}

// logs makes a log on all nodes, and returns what each of them has of it.
func (k *trio) logs() (logs []*Log) {
	k.t.Helper()
	require.NoError(k.t, k.stores[0].Create(k.t.Context(), "test", 0, "made", []string{"a", "b", "c"}))
	for i := range k.stores {
		logs = append(logs, k.log(i))
	}
	return logs
}

// log returns what a node has of the log.
func (k *trio) log(i int) *Log {
	k.t.Helper()
	l, err := k.stores[i].Log(k.t.Context(), "test", 0)
	require.NoError(k.t, err)
	return l
}

// Of four nodes three must be there, and of the three that are left when one was excluded, two.
func TestExclude_TheOthersAreFewer(t *testing.T) {
	t.Parallel()
	k := newNodes(t, 4, nil)
	k.stop(3)
	require.NoError(t, k.stores[1].Exclude(t.Context(), "d"))
	require.NoError(t, k.stores[0].Exclude(t.Context(), "d"), "it is repeatable")
	k.stop(2)
	require.NoError(t, k.stores[0].Create(t.Context(), "test", 0, "made", []string{"a", "b"}))
	appendAll(t, primary(t, k.stores[0]), 1, 1)
}

func TestCreate_IsRepeatable(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	all := []string{"a", "b", "c"}
	require.NoError(t, k.stores[0].Create(t.Context(), "test", 0, "first", all))
	require.NoError(t, k.stores[1].Create(t.Context(), "test", 0, "first", all))
	require.ErrorIs(t, k.stores[2].Create(t.Context(), "test", 0, "second", all), ErrIncarnation)
	replicas, err := k.stores[1].Replicas(t.Context(), "test", 0)
	require.NoError(t, err)
	require.Len(t, replicas, 3)
	for i, r := range replicas {
		require.Equal(t, all[i], r.Node)
	}
	require.Equal(t, all, k.stores[2].Nodes())
	require.Equal(t, "c", k.stores[2].Node())

	require.NoError(t, k.stores[0].Create(t.Context(), "one", 0, "x", []string{"b"}))
	replicas, err = k.stores[0].Replicas(t.Context(), "one", 0)
	require.NoError(t, err)
	require.Equal(t, []Replica{{Node: "b", Leads: true, Current: true}}, replicas)
	_, err = k.stores[0].Log(t.Context(), "none", 0)
	require.ErrorIs(t, err, ErrNoLog)
	_, err = k.stores[0].Replicas(t.Context(), "none", 0)
	require.ErrorIs(t, err, ErrNoLog)
}

func TestCluster_HandOver(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	a, b, c := logs[0], logs[1], logs[2]
	require.Empty(t, a.Incarnation())
	require.NoError(t, replay(t.Context(), a, 0, ignore, nil))
	require.NotEmpty(t, a.Incarnation())
	appendAll(t, a, 1, 10)
	young, other := startFollowing(t, b, 0), startFollowing(t, c, 0)
	require.Equal(t, upTo(10), young.reach(t, a.Last()))
	require.Equal(t, upTo(10), other.reach(t, a.Last()))
	require.Equal(t, a.Incarnation(), c.Incarnation())
	require.ErrorIs(t, b.Append(commit(11, 10)), ErrNotPrimary)

	old := startFollowing(t, a, a.Last())
	require.NoError(t, a.Resign("b", record.Clock{}))
	young.reach(t, a.Last())
	require.Equal(t, Primary{Since: a.Last(), Heir: "b"}, b.Primary())
	claim, err := b.Claim(t.Context(), a.Last(), record.Clock{})
	require.NoError(t, err)
	for n := uint64(11); n <= 20; n++ {
		appendAll(t, b, n, n)
		require.Equal(t, []uint64{n}, young.reach(t, b.Last()))
		require.Equal(t, []uint64{n}, other.reach(t, b.Last()))
		require.Equal(t, []uint64{n}, old.reach(t, b.Last()))
	}
	require.Equal(t, Primary{Since: claim.Position, Store: "b"}, c.Primary())
	require.ErrorIs(t, a.Append(commit(99, 10)), ErrNotPrimary)
	require.Equal(t, upTo(20)[14:], tailed(t, reopened(t, k, 2), claim.Position+4, 6), "a reader may begin anywhere")
	_, err = a.Claim(t.Context(), claim.Position, record.Clock{})
	require.ErrorIs(t, err, ErrFenced, "it has not read to the end")
}

// reopened returns what a node has of the log as if it had just been started.
func reopened(t testing.TB, k *trio, i int) *Log {
	t.Helper()
	k.log(i).Close()
	return k.log(i)
}

func TestCluster_FencesTheOldPrimary(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	appendAll(t, logs[0], 1, 3)
	f := startFollowing(t, logs[1], 0)
	require.Equal(t, upTo(3), f.reach(t, 4))
	_, err := logs[1].Claim(t.Context(), 4, record.Clock{})
	require.NoError(t, err)
	for range 3 { // as a primary does that does not know yet
		intrude(t, logs[0], ofEpoch(1, 99))
	}
	require.ErrorIs(t, logs[1].Append(commit(4, 10)), ErrFenced)
	require.ErrorIs(t, logs[0].Append(commit(4, 10)), ErrFenced)
	f.reach(t, 8)
	_, err = logs[1].Claim(t.Context(), 8, record.Clock{})
	require.NoError(t, err)
	appendAll(t, logs[1], 4, 5)
	for _, l := range logs {
		require.Equal(t, upTo(5), tailed(t, l, 0, 5))
	}
}

// A log that lacks a majority of its nodes takes nothing: what was to be appended waits, and is there once.
func TestCluster_AppendsWaitForAMajority(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	a := logs[0]
	require.NoError(t, replay(t.Context(), a, 0, ignore, nil))
	appendAll(t, a, 1, 3)
	k.stop(1, 2)
	appended := make(chan error, 1)
	go func() {
		for n := uint64(4); n < 7; n++ {
			if err := a.Append(commit(n, 100)); err != nil {
				appended <- err
				return
			}
		}
		appended <- nil
	}()
	require.Eventually(t, func() bool { return a.Overdue() > 2*patience }, time.Minute, time.Millisecond)
	require.Empty(t, appended)
	k.start(1)
	elect(t, a, k.log(1))
	require.NoError(t, <-appended)
	require.Zero(t, a.Overdue())
	require.Equal(t, upTo(6), tailed(t, k.log(1), 0, 6))

	k.stop(1)
	go func() { appended <- a.Append(commit(7, 100)) }()
	require.Eventually(t, func() bool { return a.Overdue() > patience }, time.Minute, time.Millisecond)
	a.Close()
	err := <-appended
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, err, ErrFailed, "it is unknown whether it will be there")
	require.ErrorIs(t, a.Append(commit(8, 100)), ErrClosed)
	_, err = a.CatchUp(t.Context(), 0, ignore, nil)
	require.ErrorIs(t, err, ErrClosed)
}

// A log moves to another node with all that it has, while it is written.
func TestPlace_MovesALog(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	require.NoError(t, k.stores[0].Create(t.Context(), "test", 0, "made", []string{"a"}))
	l := k.log(0)
	require.NoError(t, replay(t.Context(), l, 0, ignore, nil))
	appendAll(t, l, 1, 10)
	require.NoError(t, k.stores[1].Place(t.Context(), "test", 0, []string{"c"}))
	n := uint64(10)
	require.Eventually(t, func() bool {
		n++
		appendAll(t, l, n, n)
		replicas, err := k.stores[2].Replicas(t.Context(), "test", 0)
		return err == nil && len(replicas) == 1 && replicas[0] == Replica{Node: "c", Leads: true, Current: true}
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, upTo(n), tailed(t, k.log(2), 0, int(n)))
	require.ErrorIs(t, k.stores[1].Place(t.Context(), "none", 0, []string{"c"}), ErrNoLog)
}
