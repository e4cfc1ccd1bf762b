package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// makeBackup returns a backup of the client's server.
func makeBackup(ctx context.Context, cl *client.Client, between func(space string)) ([]byte, error) {
	b, err := cl.Backup(ctx)
	if err != nil {
		return nil, err
	}
	var parts []backup.Part
	for _, p := range b.Parts() {
		parts = append(parts, backup.Part{Space: p.Space, Partition: p.Partition, Partitions: p.Partitions})
	}
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, parts)
	if err != nil {
		return nil, err
	}
	for _, p := range b.Parts() {
		err := b.Fetch(ctx, p, func(size int64) (io.Writer, error) {
			to, err := w.Add(size)
			return pausing{to, func() { between(p.Space) }}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out.Bytes(), errors.Join(w.Close(), b.Close(ctx))
}

// pausing calls pause before each write.
type pausing struct {
	io.Writer
	pause func()
}

func (w pausing) Write(b []byte) (int, error) {
	w.pause()
	return w.Writer.Write(b)
}

// restored opens a node on a restored backup.
func restored(t *testing.T, b []byte) (*node.Node, *client.Client) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	_, err := backup.Restore(t.Context(), bytes.NewReader(b), dir)
	require.NoError(t, err)
	n := open(t, node.Config{Data: dir})
	cl, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	return n, cl
}

// Step is a member of a chain: each was written after its predecessor was acknowledged, in another space.
type Step struct {
	Chain, N int
}

// slowLog delays an append when its turn comes, so that transactions stay prepared, or decided only, for long enough to
// be observed.
type slowLog struct {
	partition.Log
	appends *atomic.Int64
}

func (l slowLog) Append(msg []byte) error {
	if n := l.appends.Add(1); n%3 == 0 {
		time.Sleep(time.Duration(n%7) * 300 * time.Microsecond)
	}
	return l.Log.Append(msg)
}

// TestBackup_IsOneMoment makes backups while transactions over three spaces move money, chains of steps grow from space
// to space, and spaces are created. In each backup the money adds up, and every chain is complete up to its last step.
func TestBackup_IsOneMoment(t *testing.T) {
	t.Parallel()
	var appends atomic.Int64
	n, cl, a, b, c := banks(t, node.WithLog(node.Config{Data: t.TempDir()}, func(_ string, l partition.Log) partition.Log {
		return slowLog{l, &appends}
	}))
	ctx, stop := context.WithCancel(t.Context())
	spaces := []*client.Space{a, b, c}
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				err := transferBetween(ctx, spaces[(w+i)%3], spaces[(w+2*i+1)%3], i%7)
				if err != nil && ctx.Err() == nil && !errors.Is(err, space.ErrTxnEnded) && !errors.Is(err, space.ErrDeadlock) {
					t.Error(err)
				}
			}
		})
	}
	for chain := range 3 {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				sp := spaces[(i+chain)%3]
				if i%10 == 5 && i < 50 {
					sp = cl.SpaceNamed(fmt.Sprintf("new-%d-%d", chain, i))
				}
				if _, err := space.Write(ctx, sp, Step{chain, i}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	const count = 6
	backups := make(chan []byte, count)
	for w := range 2 {
		all.Go(func() {
			for i := range count / 2 {
				made, err := makeBackup(ctx, cl, func(string) {})
				if err != nil {
					t.Errorf("backup %d of %d: %v", i, w, err)
				}
				backups <- made
			}
		})
	}
	for range count {
		checkMoment(t, <-backups)
	}
	stop()
	all.Wait()
	closeAll(t, cl, n)
}

// checkMoment checks that a backup shows one moment.
func checkMoment(t *testing.T, made []byte) {
	t.Helper()
	n, cl := restored(t, made)
	require.True(t, n.Settled(), "prepared transactions are resolved before the first call")
	sum := 0
	for _, name := range []string{"a", "b", "c"} {
		sum += amount(t, cl.SpaceNamed(name))
	}
	require.Equal(t, 300, sum, "half of a transaction is in the backup")
	steps := map[int]map[int]bool{0: {}, 1: {}, 2: {}}
	for _, name := range n.Names() {
		for s, err := range space.Contents(t.Context(), cl.SpaceNamed(name), Step{}) {
			require.NoError(t, err)
			steps[s.Chain][s.N] = true
		}
	}
	for chain, seen := range steps {
		for i := range len(seen) {
			require.True(t, seen[i], "step %d of chain %d is missing, a later one is there", i, chain)
		}
	}
	closeAll(t, cl, n)
}

// blob is an entry of some size.
type blob struct {
	N     int
	Bytes []byte
}

// A backup can be read to its end however slow the reader is, and however many snapshots are taken meanwhile; then
// nothing is left of it.
func TestBackup_OutlivesSnapshotsThatFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, node.Config{Data: dir})
	cl, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	for i := range 20 {
		_, err := space.Write(t.Context(), cl, blob{i, make([]byte, 100_000)})
		require.NoError(t, err)
	}
	pieces := 0
	made, err := makeBackup(t.Context(), cl, func(string) {
		pieces++
		_, err := n.Snapshot(t.Context(), txn.Address{Space: "default"}) // of the same position, the first time
		require.NoError(t, err)
		_, err = space.Take(t.Context(), cl, blob{}, space.NoWait())
		require.NoError(t, err)
	})
	require.NoError(t, err)
	require.Greater(t, pieces, 3)
	require.Zero(t, n.Backups())
	left, err := filepath.Glob(filepath.Join(dir, "snapshots", "default-0", "*snapshot*"))
	require.NoError(t, err)
	require.Len(t, left, 2)
	closeAll(t, cl, n)

	n, cl = restored(t, made)
	count, err := space.Count(t.Context(), cl, blob{})
	require.NoError(t, err)
	require.Equal(t, 20, count)
	closeAll(t, cl, n)
}

// A client that is gone keeps no backup, whether it closed its connection or lost it and never comes back.
func TestBackup_EndsWithItsClient(t *testing.T) {
	t.Parallel()
	n := open(t, node.Config{Data: t.TempDir(), Resume: time.Millisecond})
	defer func() { require.NoError(t, n.Close(context.Background())) }()
	var conns []net.Conn
	cl, err := client.DialConfig(t.Context(),
		client.Config{Addr: n.Addr(), Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			if len(conns) > 0 {
				return nil, os.ErrPermission
			}
			nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			conns = append(conns, nc)
			return nc, err
		}})
	require.NoError(t, err)
	defer cl.Close()
	_, err = cl.Backup(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n.Backups())
	require.NoError(t, conns[0].Close())
	require.Eventually(t, func() bool { return n.Backups() == 0 }, time.Minute, time.Millisecond)

	polite, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	b, err := polite.Backup(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n.Backups())
	other, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.Equal(t, 1, n.Backups())
	require.NoError(t, b.Close(t.Context()))
	require.Zero(t, n.Backups())
	err = b.Fetch(t.Context(), client.BackupPart{Space: "default", Partitions: 1}, nil)
	require.ErrorIs(t, err, space.ErrUnavailable)
	require.ErrorContains(t, err, "make another")
	_, err = polite.Backup(t.Context())
	require.NoError(t, err)
	require.NoError(t, polite.Close())
	require.Eventually(t, func() bool { return n.Backups() == 0 }, time.Minute, time.Millisecond)
}

func TestBackup_NeedsALog(t *testing.T) {
	t.Parallel()
	n := open(t, node.Config{Durability: node.Memory})
	cl, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	_, err = cl.Backup(t.Context())
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, "without a log")
	closeAll(t, cl, n)
}

// Backups that are never closed do not pile up: each keeps snapshots that nothing else needs.
func TestBackup_OfOneClientAreBounded(t *testing.T) {
	t.Parallel()
	n := open(t, node.Config{Data: t.TempDir()})
	cl, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	defer cl.Close()
	first, err := cl.Backup(t.Context())
	require.NoError(t, err)
	_, err = cl.Backup(t.Context())
	require.NoError(t, err)
	for range 3 {
		_, err = cl.Backup(t.Context())
		require.ErrorIs(t, err, space.ErrSpaceFull)
		require.ErrorContains(t, err, "--max-client-backups")
	}
	require.NoError(t, first.Close(t.Context()))
	again, err := cl.Backup(t.Context())
	require.NoError(t, err)
	require.NoError(t, again.Close(t.Context()))

	var others []*client.Client
	for range 7 {
		other, err := client.Dial(t.Context(), n.Addr())
		require.NoError(t, err)
		defer other.Close()
		_, err = other.Backup(t.Context())
		require.NoError(t, err)
		others = append(others, other)
	}
	_, err = others[0].Backup(t.Context())
	require.ErrorIs(t, err, space.ErrSpaceFull, "nor do those of many")
}
