package partition_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// logIn returns a log in a folder, and a function that closes it early.
func logIn(t *testing.T, dir string) (*replication.Log, func()) {
	t.Helper()
	store, err := replication.Open(t.Context(), replication.Config{Dir: dir})
	require.NoError(t, err)
	stop := sync.OnceFunc(func() { require.NoError(t, store.Close()) })
	t.Cleanup(stop)
	l, err := store.Log(t.Context(), "test", 0)
	require.NoError(t, err)
	return l, stop
}

func snapshot(t *testing.T, p *partition.Partition, l *replication.Log) uint64 {
	t.Helper()
	position, err := p.Snapshot(t.Context(), func(position uint64, clock record.Clock) (partition.Image, error) {
		return l.Snapshot(position, clock)
	})
	require.NoError(t, err)
	return position
}

// toil writes and takes until the context ends.
func toil(ctx context.Context, p *partition.Partition, seed int64) {
	c := newCaller()
	for n := uint64(1); ctx.Err() == nil; n += 2 {
		p.Write(c, n, txn.ID{}, call.Request{}, draft(seed+int64(n%50)))
		p.Find(c, n+1, query(seed+int64(n*7%50), true), 0)
		_ = c.await(n)
	}
}

// A partition that starts from a snapshot and the log after it has the same state, although changes went on during the
// snapshot.
func TestSnapshot_RestartGoesOnFromIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, stop := logIn(t, dir)
	p := start(t, l)
	registered := newCaller()
	p.Notify(registered, 1, query(1, false), call.Events(call.Written), call.Forever)
	require.NoError(t, registered.await(1).err)

	ctx, cancel := context.WithCancel(t.Context())
	var toiling sync.WaitGroup
	for seed := range int64(3) {
		toiling.Go(func() { toil(ctx, p, 100*seed) })
	}
	var positions []uint64
	for range 5 {
		last := l.Last()
		require.Eventually(t, func() bool { return l.Last() > last }, time.Minute, time.Millisecond)
		positions = append(positions, snapshot(t, p, l))
	}
	cancel()
	toiling.Wait()
	require.True(t, slices.IsSorted(positions))
	kept, err := l.Snapshots()
	require.NoError(t, err)
	require.Equal(t, []uint64{positions[4], positions[3]}, kept)

	require.NoError(t, l.Purge(t.Context(), min(p.Needed(), positions[4]+1)))
	require.Equal(t, min(p.Needed(), positions[3]+1), max(1, l.Stats().First))
	hash := p.Hash()
	require.NoError(t, p.Close())
	stop()

	l, _ = logIn(t, dir)
	again := start(t, l)
	require.Equal(t, hash, again.Hash())
	again.Attach(registered, 2, registered.await(1).grants[0].ID, 0)
	require.NoError(t, registered.await(2).err)
}

func TestSnapshot_ADamagedOneFallsBackToTheOneBefore(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"cut off": func(path string) error { return os.Truncate(path, 200) },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"flipped": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"longer": func(path string) error {
			b, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, append(b, 0), 0o600))
		},
		"missing": os.Remove,
	} {
		dir := t.TempDir()
		l, stop := logIn(t, dir)
		p := start(t, l)
		c := newCaller()
		for n := range uint64(4) {
			for i := range uint64(10) {
				p.Write(c, 10*n+i, txn.ID{}, call.Request{}, draft(int64(i)))
				require.NoError(t, c.await(10*n+i).err)
			}
			if n < 3 {
				snapshot(t, p, l)
			}
		}
		require.NoError(t, l.Purge(t.Context(), l.Last()), name)
		hash := p.Hash()
		require.NoError(t, p.Close())
		stop()
		files, err := filepath.Glob(filepath.Join(dir, "snapshots", "test-0", "*.snapshot"))
		require.NoError(t, err)
		require.Len(t, files, 2)
		slices.Sort(files)
		require.NoError(t, damage(files[1]), name)

		l, stop = logIn(t, dir)
		p = start(t, l)
		require.Equal(t, hash, p.Hash(), name)
		require.NoError(t, p.Close())
		stop()

		// Without any snapshot, the log alone does not determine the state, so the start fails.
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "snapshots")))
		l, _ = logIn(t, dir)
		p = partition.New(partition.Config{Log: l})
		require.ErrorIs(t, p.Start(t.Context(), nil), replication.ErrPosition, name)
	}
}

// A damaged snapshot does not count as one of the two that are kept: it must not cause the removal of the good one
// before it.
func TestSnapshot_DamageAgainAndAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, stop := logIn(t, dir)
	p := start(t, l)
	snapshot(t, p, l)
	for range 4 {
		c := newCaller()
		for i := range uint64(10) {
			p.Write(c, i, txn.ID{}, call.Request{}, draft(int64(i)))
			require.NoError(t, c.await(i).err)
		}
		newest := snapshot(t, p, l)
		require.NoError(t, l.Purge(t.Context(), l.Last()))
		hash := p.Hash()
		require.NoError(t, p.Close())
		stop()
		require.NoError(t, os.Truncate(filepath.Join(dir, "snapshots", "test-0", fmt.Sprintf("%020d.snapshot", newest)), 200))
		l, stop = logIn(t, dir)
		p = start(t, l)
		require.Equal(t, hash, p.Hash())
	}
	snapshot(t, p, l)
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "test-0", "*snapshot*"))
	require.NoError(t, err)
	require.Len(t, files, 2)
}

// A snapshot suffices to begin in another folder without a log, which then continues after it.
func TestSnapshot_IsEnoughToBeginWith(t *testing.T) {
	t.Parallel()
	l, _ := logIn(t, t.TempDir())
	p := start(t, l)
	c := newCaller()
	for n := range uint64(10) {
		p.Write(c, n, txn.ID{}, call.Request{}, draft(int64(n)))
		require.NoError(t, c.await(n).err)
	}
	last := c.replies[9].grants[0].ID
	position := snapshot(t, p, l)
	hash := uint64(0)
	files, err := filepath.Glob(filepath.Join(l.SnapshotDir(), "*.snapshot"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	file, err := os.Open(files[0])
	require.NoError(t, err)
	defer file.Close()

	dir := t.TempDir()
	other, stop := logIn(t, dir)
	h, err := other.Restore(file)
	require.NoError(t, err)
	require.Equal(t, position, h.Position)
	require.Equal(t, l.Incarnation(), h.Incarnation)
	for n := range uint64(3) { // the log continues, and is there after a restart
		again := start(t, other)
		require.EqualValues(t, 10+n, again.Stats().Entries)
		if n > 0 {
			require.Equal(t, hash, again.Hash())
		}
		again.Write(c, 20+n, txn.ID{}, call.Request{}, draft(20))
		require.NoError(t, c.await(20+n).err)
		if n == 0 { // what was written after the snapshot, in the other log, has identities of its own
			require.Greater(t, c.replies[20].grants[0].ID, last+engine.Unheard)
		}
		hash = again.Hash()
		require.NoError(t, again.Close())
		require.Greater(t, other.Last(), position)
		stop()
		other, stop = logIn(t, dir)
	}
}

// A snapshot that fails leaves the previous one in place, and the partition serves on.
func TestSnapshot_ThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := logIn(t, dir)
	p := start(t, l)
	for _, begin := range []partition.BeginImage{
		func(uint64, record.Clock) (partition.Image, error) { return nil, errInjected },
		func(pos uint64, clock record.Clock) (partition.Image, error) {
			s, err := l.Snapshot(pos, clock)
			return &faulty{s, false}, err
		},
	} {
		_, err := p.Snapshot(t.Context(), begin)
		require.ErrorIs(t, err, errInjected)
	}
	left, err := filepath.Glob(filepath.Join(dir, "snapshots", "test-0", "*snapshot*"))
	require.NoError(t, err)
	require.Empty(t, left)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Snapshot(ctx,
		func(pos uint64, clock record.Clock) (partition.Image, error) { return l.Snapshot(pos, clock) })
	require.ErrorIs(t, err, context.Canceled)
	snapshot(t, p, l)
}

type faulty struct {
	*replication.Snapshot
	wrote bool
}

func (f *faulty) Write(records []byte) error {
	if f.wrote || record.Op(records[0]) == record.Counters {
		return errInjected
	}
	f.wrote = true
	return f.Snapshot.Write(records)
}

func TestSnapshot_NeedsALog(t *testing.T) {
	t.Parallel()
	_, err := start(t, nil).Snapshot(t.Context(), nil)
	require.ErrorIs(t, err, call.ErrInvalidArgument)
}

// What registrations have not collected is drawn after the moment of the image, and in steps. Whatever happens to them
// in between, after a restart each gets all that it has not collected, and none is made or lost.
func TestSnapshot_UncollectedEventsAreThoseOfItsMoment(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	l := log.Log
	p := keeps(t, log, 5)
	const before, after = 60, 90
	var all [5]uint64 // has collected nothing, something, all of the image, more than that; and one that ends
	for i := range all {
		_, all[i] = registered(t, p, 0)
	}
	var many []uint64 // so that one step does not visit all
	for range 600 {
		_, id := registered(t, p, 0)
		many = append(many, id)
	}
	fill(t, p, 1, before)
	var late uint64
	_, err := p.Snapshot(t.Context(), func(position uint64, clock record.Clock) (partition.Image, error) {
		p.Acknowledge(all[1], before/2)
		p.Acknowledge(all[2], before)
		fill(t, p, before+1, before+after)
		p.Acknowledge(all[3], before+after/2)
		c := newCaller()
		p.Cancel(c, 1, call.Request{}, append(many[:300:300], all[4]))
		require.NoError(t, c.await(1).err)
		_, late = registered(t, p, 0)
		return l.Snapshot(position, clock)
	})
	require.NoError(t, err)
	fill(t, p, before+after+1, before+2*after)
	needed := p.Needed()
	require.LessOrEqual(t, needed, l.Last())
	require.NoError(t, p.Close())

	p = keeps(t, log, 5)
	const last = before + 2*after
	follow(t, p, all[0], 1000, 0, last)
	follow(t, p, all[1], 1000, before/2, last)
	follow(t, p, all[2], 1000, before, last)
	follow(t, p, all[3], 1000, before+after/2, last)
	follow(t, p, many[599], 1000, 0, last)
	c := newCaller()
	p.Attach(c, 1, all[4], 0)
	require.ErrorIs(t, c.await(1).err, call.ErrLeaseEnded)
	p.Attach(c, 2, late, 0)
	require.Equal(t, uint64(after), c.await(2).seq)
	require.Equal(t, 5+300, p.Stats().Registrations)
}
