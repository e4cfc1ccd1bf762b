package spacetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func delayCases() cases {
	return cases{
		{"a delayed entry is visible from its time on, and not before", delayVisible},
		{"a delayed entry is nowhere to be seen before", delayHidden},
		{"a delayed entry serves those who wait, in their order", delayServes},
		{"the order is that in which entries became visible", delayOrder},
		{"the lease of a delayed entry begins when it becomes visible", delayLease},
		{"a delay that is longer than the lease does not end it", delayBeyondLease},
		{"the holder counts the lease of a delayed entry from when it becomes visible", delayCounted},
		{"a delayed entry that is renewed lives on from when it becomes visible", delayRenewed},
		{"an entry that is put back for later keeps what was left of its lease", delayDeferred},
		{"a delayed entry can be cancelled and renewed before its time", delayCancel},
		{"a delayed entry is an event when it becomes visible", delayEvents},
		{"entries of one list may have delays of their own", delayBulk},
		{"each of many delayed entries comes, once", delayMany},
		{"a delay of zero is none", delayZero},
		{"a negative delay is refused", delayNegative},
		{"a delay is at most a hundred years, and leaves time for a lease", delayLongest},
		{"a delayed write of a transaction comes only after its commit", delayTxn},
		{"an aborted transaction's delayed writes never come", delayAborted},
		{"a delayed entry with a lease of zero is never visible", delayZeroLease},
	}
}

func delayVisible(k *kit) {
	began := time.Now()
	write(k, e1, space.Delay(short))
	require.Equal(k, e1, startFind(k, verbs[2], e1).result(k))
	require.GreaterOrEqual(k, time.Since(began), short)
	require.Zero(k, k.total())
}

func delayHidden(k *kit) {
	l := write(k, e1, space.Delay(long))
	absent(k, e1)
	require.Zero(k, k.total())
	require.Empty(k, collect(k, simple{}))
	absent(k, simple{}, space.In(begin(k)))
	for _, v := range ifExists {
		_, err := find[simple](v)(k.ctx, k.sp, e1) // it does not wait for that
		k.fails(space.ErrNoMatch, err)
	}
	_, err := space.ReadID[simple](k.ctx, k.sp, l.ID())
	k.fails(space.ErrNoMatch, err)
	_, err = space.Replace(k.ctx, k.sp, l.ID(), 0, e2)
	k.fails(space.ErrNoMatch, err)
	kinds, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	require.Zero(k, kinds[0].Count)
}

func delayServes(k *kit) {
	reader, first := startFind(k, verbs[0], simple{Name: "A"}), startFind(k, verbs[2], e1)
	k.needParked(2)
	second := startFind(k, verbs[2], simple{})
	k.needParked(3)
	write(k, e1, space.Delay(brief))
	require.Equal(k, e1, reader.result(k))
	require.Equal(k, e1, first.result(k))
	k.needParked(1)
	write(k, e2)
	require.Equal(k, e2, second.result(k))
}

func delayOrder(k *kit) {
	k.needOnePartition()
	l := write(k, e1, space.Delay(short))
	write(k, e2)
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	write(k, e3)
	require.Equal(k, []simple{e2, e1, e3}, readUpTo(k, 10, simple{}))
	require.Equal(k, l.ID(), k.stored(l.ID()).ID)
	require.Equal(k, []simple{e2, e1, e3}, drain(k, simple{}))
}

func delayLease(k *kit) {
	k.patiently(func(d time.Duration) bool {
		began := time.Now()
		l := write(k, e1, space.Delay(d), space.For(2*d))
		require.LessOrEqual(k, l.Granted(), 2*d)
		if _, err := space.Read(k.ctx, k.sp, e1, space.Wait(5*d)); err != nil {
			k.fails(space.ErrNoMatch, err) // a slow machine has slept through its life
			return false
		}
		require.GreaterOrEqual(k, time.Since(began), d)
		k.ended(l)
		require.GreaterOrEqual(k, time.Since(began), 3*d)
		return true
	})
}

func delayBeyondLease(k *kit) {
	k.patiently(func(d time.Duration) bool {
		t := begin(k)
		write(k, e1, space.Delay(3*d), space.For(d))
		write(k, e2, space.In(t), space.Delay(3*d), space.For(d))
		k.ok(space.Stage(k.ctx, t, e3, space.Delay(3*d), space.For(d)))
		commit(k, t)
		for _, e := range []simple{e1, e2, e3} {
			if _, err := space.Read(k.ctx, k.sp, e, space.Wait(8*d)); err != nil {
				k.fails(space.ErrNoMatch, err) // a slow machine has slept through its life
				return false
			}
		}
		return true
	})
}

func delayCounted(k *kit) {
	began := time.Now()
	l := write(k, e1, space.Delay(long), space.For(long/2))
	require.LessOrEqual(k, l.Granted(), long/2)
	require.WithinRange(k, l.Expires(), began.Add(long), time.Now().Add(long+long/2))
	require.Greater(k, l.Remaining(), l.Granted())
	_, err := l.Renew(k.ctx, long/4)
	k.ok(err)
	require.WithinRange(k, l.Expires(), began.Add(long), time.Now().Add(long+long/4))
	forever := write(k, e2, space.Delay(long))
	require.Equal(k, space.Forever, forever.Remaining())
}

func delayRenewed(k *kit) {
	k.patiently(func(d time.Duration) bool {
		l := write(k, e1, space.Delay(3*d), space.For(long))
		granted, err := l.Renew(k.ctx, d)
		k.ok(err)
		require.LessOrEqual(k, granted, d)
		if _, err := space.Read(k.ctx, k.sp, e1, space.Wait(8*d)); err != nil {
			k.fails(space.ErrNoMatch, err) // a slow machine has slept through its life
			return false
		}
		k.ended(l)
		return true
	})
	l := write(k, e2, space.Delay(short), space.For(long))
	_, err := l.Renew(k.ctx, 0)
	k.ok(err)
	_, err = l.Renew(k.ctx, long)
	k.fails(space.ErrLeaseEnded, err)
	_, err = space.Read(k.ctx, k.sp, e2, space.Wait(2*short))
	k.fails(space.ErrNoMatch, err)
}

func delayDeferred(k *kit) {
	k.patiently(func(d time.Duration) bool {
		began := time.Now()
		l := write(k, e1, space.For(2*d))
		t := begin(k)
		if _, err := space.Take(k.ctx, k.sp, e1, space.In(t), space.NoWait()); err != nil {
			k.fails(space.ErrNoMatch, err) // a slow machine has slept through its life
			return false
		}
		if err := t.Defer(k.ctx, l.ID(), 4*d); err != nil {
			k.fails(space.ErrNoMatch, err)
			return false
		}
		commit(k, t)
		if _, err := space.Read(k.ctx, k.sp, e1, space.Wait(9*d)); err != nil {
			k.fails(space.ErrNoMatch, err)
			return false
		}
		require.GreaterOrEqual(k, time.Since(began), 4*d)
		k.ended(l)
		return true
	})
}

func delayCancel(k *kit) {
	l := write(k, e1, space.Delay(brief))
	k.ok(l.Cancel(k.ctx))
	k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
	l = write(k, e2, space.Delay(long), space.For(long))
	granted, err := l.Renew(k.ctx, 3*long)
	k.ok(err)
	require.LessOrEqual(k, granted, 3*long)
	write(k, mark, space.Delay(2*brief))
	require.Equal(k, mark, startFind(k, verbs[2], mark).result(k))
	require.Zero(k, k.total())
	k.ok(l.Cancel(k.ctx))
}

func delayEvents(k *kit) {
	reg := notify(k, simple{})
	write(k, e1, space.Delay(short))
	cancelled := write(k, e1, space.Delay(short))
	write(k, e2)
	k.ok(cancelled.Cancel(k.ctx))
	require.Equal(k, []simple{e2, e1}, next[simple](k, reg, reg.Start(), 2))
	require.Equal(k, e1, take(k, e1))
	write(k, mark)
	require.Equal(k, []simple{mark}, next[simple](k, reg, reg.Start()+2, 1))
}

func delayBulk(k *kit) {
	ds := k.drafts(e1, e2, e3)
	ds[0].Delay, ds[1].Delay = 2*short, short
	_, err := k.sp.Write(k.ctx, noTxn, ds)
	k.ok(err)
	require.Equal(k, []simple{e3}, readUpTo(k, 10, simple{}))
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	require.Equal(k, []simple{e3, e2, e1}, drain(k, simple{}))

	_, err = space.WriteAll(k.ctx, k.sp, []simple{e1, e2}, space.Delay(brief))
	k.ok(err)
	require.Equal(k, e1, startFind(k, verbs[0], simple{}).result(k))
	require.Equal(k, []simple{e1, e2}, drain(k, simple{}))
}

func delayMany(k *kit) {
	const n = 200
	for i := range n {
		write(k, simple{"A", i + 1}, space.Delay(short+time.Duration((i*37)%n)*time.Millisecond))
	}
	var got []simple
	for range n {
		got = append(got, startFind(k, verbs[2], simple{}).result(k))
	}
	require.Len(k, got, n)
	seen := map[int]bool{}
	for _, v := range got {
		require.False(k, seen[v.ID])
		seen[v.ID] = true
	}
	require.Zero(k, k.total())
}

func delayZero(k *kit) {
	write(k, e1, space.Delay(0))
	require.Equal(k, e1, take(k, e1))
}

func delayNegative(k *kit) {
	_, err := space.Write(k.ctx, k.sp, e1, space.Delay(-1))
	k.fails(space.ErrInvalidArgument, err)
	ds := k.drafts(e1, e2)
	ds[1].Delay = -1
	_, err = k.sp.Write(k.ctx, noTxn, ds)
	k.fails(space.ErrInvalidArgument, err)
	require.Zero(k, k.total())
}

// delayLongest has its rule in semantics 6.7: a lease that is asked for is never granted as one of zero.
func delayLongest(k *kit) {
	for _, d := range []time.Duration{space.MaxDelay + 1, 1 << 62, space.Forever - 1, space.Forever} {
		_, err := space.Write(k.ctx, k.sp, e1, space.Delay(d))
		k.fails(space.ErrInvalidArgument, err)
		t := begin(k)
		k.fails(space.ErrInvalidArgument, space.Stage(k.ctx, t, e1, space.Delay(d)))
		k.fails(space.ErrInvalidArgument, t.Defer(k.ctx, 1, d))
		abort(k, t)
	}
	for _, d := range []time.Duration{time.Hour, 1 << 62, space.Forever - 1, space.Forever} {
		l := write(k, e1, space.Delay(space.MaxDelay), space.For(d))
		require.Positive(k, l.Granted(), d)
		granted, err := l.Renew(k.ctx, time.Hour)
		k.ok(err)
		require.Equal(k, time.Hour, granted)
		granted, err = l.Renew(k.ctx, d)
		k.ok(err)
		require.Positive(k, granted)
		k.ok(l.Cancel(k.ctx))
	}
}

func delayTxn(k *kit) {
	t := begin(k)
	began := time.Now()
	write(k, e1, space.In(t), space.Delay(short))
	k.ok(space.Stage(k.ctx, t, e2, space.Delay(short)))
	commit(k, t)
	require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
	require.Equal(k, e2, startFind(k, verbs[0], e2).result(k))
	require.GreaterOrEqual(k, time.Since(began), short)
	drain(k, simple{})

	t = begin(k)
	write(k, e1, space.In(t), space.Delay(brief))
	_, err := space.Read(k.ctx, k.sp, e1, space.Wait(3*brief))
	k.fails(space.ErrNoMatch, err)
	commit(k, t)
	require.Equal(k, e1, startFind(k, verbs[2], e1).result(k))
}

func delayAborted(k *kit) {
	t := begin(k)
	write(k, e1, space.In(t), space.Delay(brief))
	abort(k, t)
	_, err := space.Read(k.ctx, k.sp, e1, space.Wait(3*brief))
	k.fails(space.ErrNoMatch, err)
}

func delayZeroLease(k *kit) {
	reg := notify(k, simple{})
	l := write(k, e1, space.Delay(brief), space.For(0))
	require.Zero(k, l.Granted())
	write(k, mark, space.Delay(5*brief))
	require.Equal(k, mark, startFind(k, verbs[0], simple{}).result(k))
	require.Equal(k, []simple{mark}, next[simple](k, reg, reg.Start(), 1))
	k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
}
