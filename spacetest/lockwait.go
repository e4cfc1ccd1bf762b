package spacetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func lockWaitCases() cases {
	return cases{
		{"a take waits for read locks, a read does not", lockWaitReaders},                       // semantics 5
		{"the last reader that remains gets what it waits to take", lockWaitLastReader},         // semantics 5
		{"a read or take goes on waiting when a lock ends with the entry gone", lockWaitGoesOn}, // semantics 4.1
		{"a wait ends with its transaction", lockWaitEnded},                                     // semantics 4
		{"all waits end with their transaction", lockWaitAllEnded},                              // semantics 4
		{"a wait that is cut short leaves its transaction open", lockWaitCancelled},
		{"a wait is satisfied by a write of its own transaction, others' are not", lockWaitOwnWrite}, // B-16
		{"a waiting take gets what is written under its own lock", lockWaitTake},
		{"a waiting read locks what it gets", lockWaitRead},
		{"a commit serves all waiting reads and the first take, in order", lockWaitServed}, // semantics 3.3
		{"an abort serves all waiting reads and the first take, in order", lockWaitBack},   // semantics 3.3
		{"a waiting bulk take gets what a commit brings", lockWaitBulk},                    // B-16
		{"a wait by identity ends when the entry is gone", lockWaitID},
		{"waits that cross the end of a lock lose nothing", lockWaitCrosses},
		{"a read that is cancelled as it finds locks nothing", lockWaitReadCrosses},
	}
}

func lockWaitReaders(k *kit) {
	write(k, e1)
	a, b, c := begin(k), begin(k), begin(k)
	read(k, e1, space.In(a))
	read(k, e1, space.In(b))
	taker := startFind(k, verbs[3], e1, space.In(c), space.Wait(long))
	k.parked(1)
	require.Equal(k, e1, read(k, e1)) // a take that waits hides nothing
	require.Equal(k, e1, read(k, e1, space.In(b)))
	commit(k, a)
	k.parked(1)
	abort(k, b)
	require.Equal(k, e1, taker.result(k))
	absent(k, e1)
}

func lockWaitLastReader(k *kit) {
	for _, v := range verbs[2:] {
		for _, end := range []func(*kit, *space.Txn){commit, abort, lapse, cancelTxn} {
			write(k, e1)
			a, b, c := begin(k), begin(k), begin(k)
			for _, t := range []*space.Txn{a, b, c} {
				read(k, e1, space.In(t))
			}
			p := startFind(k, v, e1, space.In(a))
			other := startFind(k, verbs[2], e1)
			k.parked(2)
			end(k, b)
			k.parked(2)
			end(k, c)
			require.Equal(k, e1, p.result(k))
			k.parked(1)
			abort(k, a)
			require.Equal(k, e1, other.result(k))
			absent(k, e1)
		}
	}
}

func lockWaitGoesOn(k *kit) {
	for _, v := range []verb{verbs[0], verbs[2]} {
		write(k, e1)
		a, b := begin(k), begin(k)
		take(k, e1, space.In(a))
		write(k, e1, space.In(b))
		p := startFind(k, v, e1)
		k.needParked(1)
		commit(k, a)
		abort(k, b)
		k.needParked(1)
		write(k, e1)
		require.Equal(k, e1, p.result(k))
		drain(k, simple{})
	}
}

func lockWaitEnded(k *kit) {
	write(k, e1)
	for _, v := range verbs {
		for name, end := range map[string]func(*kit,
			*space.Txn){"commit": commit, "abort": abort, "lapse": lapse, "cancel": cancelTxn} {
			blocker, t := begin(k), begin(k)
			take(k, e1, space.In(blocker))
			p := startFind(k, v, e1, space.In(t), space.Wait(long))
			k.parked(1)
			end(k, t)
			_, err := p.wait()
			require.ErrorIs(k, err, space.ErrTxnEnded, "%s, %s", v.name, name)
			abort(k, blocker)
			require.Equal(k, e1, read(k, e1)) // it was not taken after all
		}
	}
	require.Equal(k, e1, take(k, e1))
}

func lockWaitAllEnded(k *kit) {
	t := begin(k)
	var all []*pending[simple]
	for i := range 20 {
		all = append(all, startFind(k, verbs[i%2*2], simple{"W", i + 1}, space.In(space.TxnOf(k.sp, t.ID()))))
	}
	bulk := start(k, func(ctx context.Context) ([]simple, error) {
		return space.TakeAll(ctx, k.sp, simple{Name: "W"}, 5, space.In(t))
	})
	outside := startFind(k, verbs[2], simple{"W", 7})
	k.needParked(22)
	abort(k, t)
	for _, p := range all {
		_, err := p.wait()
		k.fails(space.ErrTxnEnded, err)
	}
	_, err := bulk.wait()
	k.fails(space.ErrTxnEnded, err)
	k.parked(1)
	write(k, simple{"W", 7})
	require.Equal(k, simple{"W", 7}, outside.result(k))
}

func lockWaitCancelled(k *kit) {
	write(k, e1)
	blocker, t := begin(k), begin(k)
	take(k, e1, space.In(blocker))
	write(k, e2, space.In(t))
	for _, v := range verbs {
		p := startFind(k, v, e1, space.In(t))
		k.parked(1)
		p.cancel()
		_, err := p.wait()
		k.fails(context.Canceled, err)
		_, err = find[simple](v)(k.ctx, k.sp, e1, space.In(t), space.Wait(brief))
		k.fails(space.ErrNoMatch, err)
	}
	abort(k, blocker)
	require.Equal(k, e1, take(k, e1)) // t has no lock on it
	commit(k, t)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func lockWaitOwnWrite(k *kit) {
	for _, v := range []verb{verbs[0], verbs[2]} {
		t, another := begin(k), begin(k)
		own := startFind(k, v, e1, space.In(t))
		outside := startFind(k, v, e1)
		other := startFind(k, v, e1, space.In(another))
		k.parked(3)
		write(k, e1, space.In(space.TxnOf(k.sp, t.ID())))
		require.Equal(k, e1, own.result(k))
		k.parked(2)
		abort(k, t)
		k.parked(2)
		writeAll(k, e1, e1)
		require.Equal(k, e1, outside.result(k))
		require.Equal(k, e1, other.result(k))
		commit(k, another)
		drain(k, simple{})
	}
}

func lockWaitTake(k *kit) {
	k.needOnePartition()
	for _, end := range []func(*kit, *space.Txn){commit, abort} {
		t := begin(k)
		p := startFind(k, verbs[2], simple{Name: "A"}, space.In(t))
		k.parked(1)
		write(k, e2)
		write(k, e1)
		require.Equal(k, e1, p.result(k))
		absent(k, e1)
		end(k, t)
	}
	require.Equal(k, []simple{e2, e2, e1}, drain(k, simple{}))
}

func lockWaitRead(k *kit) {
	t := begin(k)
	p := startFind(k, verbs[0], e1, space.In(t))
	k.needParked(1)
	write(k, e1)
	require.Equal(k, e1, p.result(k))
	_, err := space.Take(k.ctx, k.sp, e1, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	require.Equal(k, e1, take(k, e1, space.In(t)))
	commit(k, t)
	absent(k, e1)
}

// crowd starts reads and takes for e1, some of them under transactions, and returns them in their order.
func crowd(k *kit, holders []*space.Txn) (readers, takers []*pending[simple]) {
	k.Helper()
	for i, t := range holders {
		var opts []space.TakeOption
		if t != nil {
			opts = append(opts, space.In(t))
		}
		takers = append(takers, startFind(k, verbs[2], e1, opts...))
		k.needParked(2*i + 1)
		readers = append(readers, startFind(k, verbs[0], e1))
		k.needParked(2*i + 2)
	}
	return readers, takers
}

func lockWaitServed(k *kit) {
	t, holder := begin(k), begin(k)
	write(k, e1, space.In(t))
	readers, takers := crowd(k, []*space.Txn{nil, holder, nil})
	commit(k, t)
	for _, r := range readers {
		require.Equal(k, e1, r.result(k))
	}
	require.Equal(k, e1, takers[0].result(k))
	k.needParked(2)
	write(k, e1)
	require.Equal(k, e1, takers[1].result(k))
	k.needParked(1)
	abort(k, holder)
	require.Equal(k, e1, takers[2].result(k))
	absent(k, e1)
}

func lockWaitBack(k *kit) {
	write(k, e1)
	t, holder := begin(k), begin(k)
	take(k, e1, space.In(t))
	readers, takers := crowd(k, []*space.Txn{holder, nil})
	abort(k, t)
	for _, r := range readers {
		require.Equal(k, e1, r.result(k))
	}
	require.Equal(k, e1, takers[0].result(k))
	k.needParked(1)
	abort(k, holder)
	require.Equal(k, e1, takers[1].result(k))
	absent(k, e1)
}

func lockWaitBulk(k *kit) {
	a, b := begin(k), begin(k)
	inside := start(k, func(ctx context.Context) ([]simple, error) {
		return space.TakeAll(ctx, k.sp, simple{Name: "A"}, 10, space.In(a))
	})
	outside := start(k, func(ctx context.Context) ([]simple, error) { return space.TakeAll(ctx, k.sp, simple{ID: 2}, 10) })
	k.needParked(2)
	writeAllIn(k, b, e2, e3, e2)
	writeAllIn(k, a, e1, e2)
	require.Equal(k, []simple{e1}, inside.result(k))
	k.parked(1)
	commit(k, b)
	require.Equal(k, []simple{e2, e3, e2}, outside.result(k))
	commit(k, a)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func lockWaitID(k *kit) {
	for _, end := range []func(*kit, *space.Txn){commit, abort} {
		id := write(k, e1).ID()
		t := begin(k)
		take(k, e1, space.In(t))
		p := start(k, func(ctx context.Context) (simple, error) { return space.TakeID[simple](ctx, k.sp, id) })
		k.needParked(1)
		write(k, e1) // not this one
		k.needParked(1)
		end(k, t)
		got, err := p.wait()
		if err == nil {
			require.Equal(k, e1, got)
		} else {
			k.fails(space.ErrNoMatch, err)
		}
		require.Len(k, drain(k, simple{}), 1)
	}
}

// lockWaitCrosses ends locks just when those who wait for them give up: the entry is theirs, or still there.
func lockWaitCrosses(k *kit) {
	for i := range 60 {
		v := simple{"A", i + 1}
		t, mine := begin(k), begin(k)
		if i%2 == 0 {
			write(k, v, space.In(t))
		} else {
			write(k, v)
			take(k, v, space.In(t))
		}
		p := startFind(k, verbs[2+i/2%2], v, space.In(mine))
		if i%3 == 0 {
			k.parked(1)
		}
		ended := start(k, func(ctx context.Context) (any, error) {
			if i%2 == 0 {
				return nil, t.Commit(ctx)
			}
			return nil, t.Abort(ctx)
		})
		p.cancel()
		ended.result(k)
		if got, err := p.wait(); err == nil {
			require.Equal(k, v, got)
			absent(k, v)
			abort(k, mine)
		} else {
			require.ErrorIs(k, err, context.Canceled, fmt.Sprint(i))
			require.Equal(k, v, read(k, v))
		}
		require.Equal(k, v, take(k, v))
	}
}

// lockWaitReadCrosses cancels reads just when their entries are written: each returns its entry, or has not locked it.
func lockWaitReadCrosses(k *kit) {
	k.needOnePartition()
	for i := range 100 {
		v := simple{"A", i + 1}
		t := begin(k)
		reader := startFind(k, verbs[0], v, space.In(t))
		if i%2 == 0 {
			k.parked(1)
		}
		var wg sync.WaitGroup
		wg.Go(reader.cancel)
		wg.Go(func() {
			if _, err := space.Write(k.ctx, k.sp, v); err != nil {
				k.Error(err)
			}
		})
		wg.Wait()
		_, err := reader.wait()
		if err != nil {
			k.fails(context.Canceled, err)
			require.Equal(k, v, take(k, v))
			abort(k, t)
			continue
		}
		_, err = space.Take(k.ctx, k.sp, v, space.NoWait())
		k.fails(space.ErrNoMatch, err)
		commit(k, t)
		require.Equal(k, v, take(k, v))
	}
}
