package spacetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func rollbackCases() cases {
	return cases{
		{"a rollback undoes everything, and the transaction goes on", rollbackAll},
		{"a rollback keeps the takes it is told to keep", rollbackKeeps},
		{"a rollback lets those go on who wait for what it lets go of", rollbackWakes},
		{"a rollback undoes updates", rollbackUpdates},
		{"a rollback forgets what was staged", rollbackStaged},
		{"a rollback leaves calls that wait alone", rollbackWaits},
		{"a deferred entry comes back after its delay, with one attempt more", deferBack},
		{"a deferred entry goes to the end of the order", deferOrder},
		{"no call gets a deferred entry before its time", deferHidden},
		{"attempts count each deferral, and nothing else", deferAttempts},
		{"a deferral that is not committed has not happened", deferAborted},
		{"a deferred entry is no new one for listeners", deferEvents},
		{"a deferred entry serves those who wait", deferWakes},
		{"the lease of a deferred entry can be renewed and cancelled", deferLease},
		{"what a transaction has not taken cannot be deferred", deferNotTaken},
		{"the last deferral of an entry counts", deferTwice},
		{"deferrals and writes are committed together", deferTogether},
	}
}

func rollbackAll(k *kit) {
	k.needOnePartition()
	writeAll(k, e1, e2, e3)
	t := begin(k)
	take(k, e1, space.In(t))
	read(k, e2, space.In(t))
	write(k, simple{"own", 1}, space.In(t))
	k.ok(t.Rollback(k.ctx))
	absent(k, simple{Name: "own"}, space.In(t))
	require.Equal(k, []simple{e1, e2, e3}, readUpTo(k, 10, simple{}))
	require.Equal(k, e2, take(k, e2)) // no read lock is left
	k.ok(t.Rollback(k.ctx))
	require.Equal(k, e1, take(k, simple{}, space.In(t)))
	write(k, simple{"own", 2}, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e3, {"own", 2}}, drain(k, simple{}))
}

func rollbackKeeps(k *kit) {
	k.needOnePartition()
	ls := writeAll(k, e1, e2, e3)
	t := begin(k)
	take(k, e1, space.In(t))
	take(k, e2, space.In(t))
	take(k, e3, space.In(t))
	write(k, simple{"own", 1}, space.In(t))
	k.ok(t.Rollback(k.ctx, ls[1].ID(), 1<<60))
	require.Equal(k, []simple{e1, e3}, readUpTo(k, 10, simple{}))
	absent(k, e2)
	absent(k, e2, space.In(t))
	k.ok(t.Rollback(k.ctx, ls[1].ID())) // again
	write(k, simple{"own", 2}, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e1, e3, {"own", 2}}, drain(k, simple{}))

	l := write(k, e1)
	t = begin(k)
	take(k, e1, space.In(t))
	k.ok(t.Rollback(k.ctx, l.ID()))
	abort(k, t)
	require.Equal(k, e1, take(k, e1))
}

func rollbackWakes(k *kit) {
	writeAll(k, e1, e2)
	t := begin(k)
	take(k, e1, space.In(t))
	read(k, e2, space.In(t))
	write(k, e3, space.In(t))
	first, second := startFind(k, verbs[2], e1), startFind(k, verbs[2], e2)
	none := startFind(k, verbs[3], e3, space.Wait(long))
	k.needParked(3)
	k.ok(t.Rollback(k.ctx))
	require.Equal(k, e1, first.result(k))
	require.Equal(k, e2, second.result(k))
	_, err := none.wait()
	k.fails(space.ErrNoMatch, err)
	commit(k, t)
	require.Zero(k, k.total())
}

func rollbackUpdates(k *kit) {
	k.needOnePartition()
	id := write(k, e1).ID()
	write(k, e2)
	t := begin(k)
	for range 2 {
		_, err := space.Replace(k.ctx, k.sp, id, 1, simple{"A", 9}, space.In(t))
		k.ok(err)
		require.Equal(k, simple{"A", 9}, read(k, simple{ID: 9}, space.In(t)))
		k.ok(t.Rollback(k.ctx))
		absent(k, simple{ID: 9}, space.In(t))
	}
	commit(k, t)
	require.Equal(k, uint32(1), k.stored(id).Version)
	require.Equal(k, []simple{e1, e2}, drain(k, simple{}))
}

// stored returns the entry with an identity, whatever its kind.
func (k *kit) stored(id space.LeaseID) space.Entry {
	k.Helper()
	q := k.match()
	q.ID = id
	entries, err := k.sp.Read(k.ctx, q)
	k.ok(err)
	require.Len(k, entries, 1)
	return entries[0]
}

func rollbackStaged(k *kit) {
	t := begin(k)
	k.ok(space.Stage(k.ctx, t, e1))
	k.ok(t.Rollback(k.ctx))
	k.ok(space.Stage(k.ctx, t, e2))
	commit(k, t)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func rollbackWaits(k *kit) {
	t := begin(k)
	p := startFind(k, verbs[2], e1, space.In(t))
	k.needParked(1)
	write(k, e2, space.In(t))
	k.ok(t.Rollback(k.ctx))
	k.needParked(1)
	write(k, e1)
	require.Equal(k, e1, p.result(k))
	abort(k, t)
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}

// deferOne takes the oldest entry of a name under a transaction and defers it; the transaction is still open.
func deferOne(k *kit, name string, delay time.Duration) (*space.Txn, space.LeaseID) {
	k.Helper()
	t := begin(k)
	q := k.match(simple{Name: name})
	q.Txn = t.ID()
	entries, err := k.sp.Take(k.ctx, q)
	k.ok(err)
	k.ok(t.Defer(k.ctx, entries[0].ID, delay))
	return t, entries[0].ID
}

func deferBack(k *kit) {
	id := write(k, e1).ID()
	began := time.Now()
	t, deferred := deferOne(k, "A", short)
	require.Equal(k, id, deferred)
	commit(k, t)
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	require.GreaterOrEqual(k, time.Since(began), short)
	e := k.stored(id)
	require.Equal(k, uint32(1), e.Attempts)
	require.Equal(k, uint32(1), e.Version)
	require.Equal(k, e1, take(k, e1))
	require.Zero(k, k.total())
}

func deferOrder(k *kit) {
	k.needOnePartition()
	writeAll(k, e1, e3)
	t, _ := deferOne(k, "A", 0)
	write(k, e2)
	commit(k, t)
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	require.Equal(k, []simple{e3, e2, e1}, drain(k, simple{}))
}

func deferHidden(k *kit) {
	write(k, e1)
	t, id := deferOne(k, "A", long)
	absent(k, e1, space.In(t))
	absent(k, e1)
	commit(k, t)
	absent(k, e1)
	require.Zero(k, k.total())
	_, err := space.TakeIfExists(k.ctx, k.sp, e1, space.Wait(long)) // no lock, and no entry yet
	k.fails(space.ErrNoMatch, err)
	_, err = space.ReadID[simple](k.ctx, k.sp, id)
	k.fails(space.ErrNoMatch, err)
	k.ok(k.sp.Cancel(k.ctx, id)) // but it has a lease
	k.fails(space.ErrLeaseEnded, k.sp.Cancel(k.ctx, id))
}

func deferAttempts(k *kit) {
	write(k, e1)
	for n := range uint32(4) {
		t := begin(k)
		take(k, e1, space.In(t))
		abort(k, t)
		t, id := deferOne(k, "A", 0)
		commit(k, t)
		require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
		require.Equal(k, n+1, k.stored(id).Attempts)
	}
}

func deferAborted(k *kit) {
	k.needOnePartition()
	write(k, e1)
	write(k, e3)
	for _, end := range []func(*kit, *space.Txn){abort, cancelTxn} {
		t, id := deferOne(k, "A", long)
		end(k, t)
		require.Equal(k, []simple{e1, e3}, readUpTo(k, 10, simple{}))
		require.Zero(k, k.stored(id).Attempts)
	}
	t, id := deferOne(k, "A", long)
	k.ok(t.Rollback(k.ctx))
	require.Equal(k, e1, read(k, simple{}))
	commit(k, t)
	require.Zero(k, k.stored(id).Attempts)

	t, id = deferOne(k, "A", long)
	k.ok(t.Rollback(k.ctx, id)) // the take is kept
	commit(k, t)
	absent(k, e1)
}

func deferEvents(k *kit) {
	write(k, e1)
	reg := notify(k, simple{})
	for _, delay := range []time.Duration{0, brief} {
		t, _ := deferOne(k, "A", delay)
		commit(k, t)
		require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	}
	write(k, mark)
	require.Empty(k, untilMark(k, reg))
}

func deferWakes(k *kit) {
	write(k, e1)
	for _, delay := range []time.Duration{0, brief} {
		t, id := deferOne(k, "A", delay)
		reader, taker := startFind(k, verbs[0], e1), startFind(k, verbs[2], simple{Name: "A"}, space.In(begin(k)))
		byID := start(k, func(ctx context.Context) (simple, error) { return space.ReadID[simple](ctx, k.sp, id) })
		k.needParked(3)
		commit(k, t)
		require.Equal(k, e1, reader.result(k))
		require.Equal(k, e1, taker.result(k))
		if got, err := byID.wait(); err == nil { // it waits for the lock only, and not for the end of a delay
			require.Equal(k, e1, got)
		} else {
			k.fails(space.ErrNoMatch, err)
		}
		absent(k, e1)
		write(k, e1)
	}
}

func deferLease(k *kit) {
	l := write(k, e1, space.For(long))
	t, _ := deferOne(k, "A", long)
	commit(k, t)
	_, err := l.Renew(k.ctx, 2*long)
	k.ok(err)
	k.ok(l.Cancel(k.ctx))
}

func deferNotTaken(k *kit) {
	k.needOnePartition()
	ls := writeAll(k, e1, e2, e3)
	t, other := begin(k), begin(k)
	own := write(k, simple{"own", 1}, space.In(t))
	gone := write(k, simple{"own", 2}, space.In(t))
	take(k, simple{"own", 2}, space.In(t))
	read(k, e2, space.In(t))
	take(k, e3, space.In(other))
	for _, id := range []space.LeaseID{ls[0].ID(), ls[1].ID(), ls[2].ID(), own.ID(), gone.ID(), 1 << 60, 0} {
		k.fails(space.ErrNoMatch, t.Defer(k.ctx, id, 0))
	}
	k.fails(space.ErrInvalidArgument, other.Defer(k.ctx, ls[2].ID(), -1))
	commit(k, t)
	commit(k, other)
	require.Equal(k, []simple{e1, e2, {"own", 1}}, drain(k, simple{}))
}

func deferTwice(k *kit) {
	write(k, e1)
	t, id := deferOne(k, "A", long)
	k.ok(t.Defer(k.ctx, id, 0))
	commit(k, t)
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	require.Equal(k, uint32(1), k.stored(id).Attempts)
}

func deferTogether(k *kit) {
	writeAll(k, e1, e2)
	t, _ := deferOne(k, "A", 0)
	take(k, e2, space.In(t))
	k.ok(space.Stage(k.ctx, t, e3))
	commit(k, t)
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	require.ElementsMatch(k, []simple{e1, e3}, drain(k, simple{}))
}
