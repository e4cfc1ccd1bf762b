package spacetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func txnLeaseCases() cases {
	return cases{
		{"a transaction has a lease of at most what was asked for", txnLeaseGranted},
		{"the end of the lease aborts the transaction", txnLeaseEnds},                 // L-19
		{"cancelling the lease aborts the transaction", txnLeaseCancelled},            // L-19
		{"a renewed transaction can be used beyond its first lease", txnLeaseRenewed}, // L-20
		{"a lease of zero ends at once", txnLeaseZero},
		{"a client that knows its number may renew a transaction", txnLeaseByNumber},
		{"a keeper keeps a transaction open, and tells when it has ended", txnLeaseKeeper},
		// L-08, semantics 5.6
		{"leases run while their entries are written but not committed", txnLeaseOfWritten},
		{"a lease that is renewed before the commit holds after it", txnLeaseOfRenewed}, // L-15
		// L-18, semantics 5.6
		{"an entry whose lease ends under a take is not there again", txnLeaseUnderTake},
		{"an entry whose lease ends under a read is gone", txnLeaseUnderRead},                                // semantics 5.6
		{"an entry that is cancelled under a lock is gone, and the commit goes on", txnLeaseCancelUnderLock}, // semantics 5.6
		{"what is written without a lease under a transaction lives forever", txnLeaseForever},               // L-05
	}
}

func txnLeaseGranted(k *kit) {
	for _, d := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * 365 * time.Hour, space.Forever} {
		before := time.Now()
		t := begin(k, space.For(d))
		require.Positive(k, t.Lease().Granted())
		require.LessOrEqual(k, t.Lease().Granted(), d)
		require.False(k, t.Lease().Expires().Before(before.Add(t.Lease().Granted())))
		require.Equal(k, space.LeaseID(t.ID().Number), t.Lease().ID())
		commit(k, t)
	}
	t, err := space.Begin(k.ctx, k.sp)
	k.ok(err)
	require.Equal(k, time.Minute, t.Lease().Granted())
	k.ok(t.Abort(k.ctx))
}

func txnLeaseEnds(k *kit) {
	writeAll(k, e1, e2)
	began := time.Now()
	t := begin(k, space.For(short))
	_, err := space.Take(k.ctx, k.sp, e1, space.In(t), space.NoWait())
	if err == nil {
		_, err = space.Write(k.ctx, k.sp, e3, space.In(t))
	}
	if err != nil { // a slow machine
		k.fails(space.ErrTxnEnded, err)
	}
	require.Equal(k, e1, startFind(k, verbs[2], e1).result(k)) // no call uses t meanwhile
	k.gone(t)
	require.GreaterOrEqual(k, time.Since(began), short)
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func txnLeaseCancelled(k *kit) {
	write(k, e1)
	t := begin(k, space.For(long))
	take(k, e1, space.In(t))
	write(k, e2, space.In(t))
	k.ok(t.Lease().Cancel(k.ctx))
	k.fails(space.ErrLeaseEnded, t.Lease().Cancel(k.ctx))
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}

func txnLeaseRenewed(k *kit) {
	k.patiently(func(d time.Duration) bool {
		write(k, e1)
		t := begin(k, space.For(d))
		_, err := t.Lease().Renew(k.ctx, long)
		if err != nil {
			k.fails(space.ErrLeaseEnded, err)
			drain(k, simple{})
			return false
		}
		time.Sleep(2 * d) // the old lease would be over
		require.Equal(k, e1, take(k, e1, space.In(t)))
		write(k, e2, space.In(t))
		commit(k, t)
		require.Equal(k, []simple{e2}, drain(k, simple{}))
		return true
	})
}

func txnLeaseZero(k *kit) {
	write(k, e1)
	t, err := space.Begin(k.ctx, k.sp, space.For(0))
	k.ok(err)
	_, err = space.Take(k.ctx, k.sp, e1, space.In(t))
	k.fails(space.ErrTxnEnded, err)
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	require.Equal(k, e1, take(k, e1))
}

func txnLeaseByNumber(k *kit) {
	k.needOnePartition()
	t := begin(k, space.For(long))
	write(k, e1, space.In(t))
	grants, err := k.sp.Renew(k.ctx, 2*long, space.LeaseID(t.ID().Number))
	k.ok(err)
	require.LessOrEqual(k, grants[0].Granted, 2*long)
	l := write(k, e2)
	_, err = k.sp.Renew(k.ctx, long, l.ID(), t.Lease().ID(), 1<<60)
	require.Len(k, failed(k, err), 1)
	other := space.TxnOf(k.sp, t.ID())
	granted, err := other.Lease().Renew(k.ctx, long)
	k.ok(err)
	require.LessOrEqual(k, granted, long)
	require.Equal(k, granted, other.Lease().Granted())
	commit(k, other)
	k.fails(space.ErrLeaseEnded, t.Lease().Cancel(k.ctx))
	require.Equal(k, []simple{e2, e1}, drain(k, simple{}))
}

func txnLeaseKeeper(k *kit) {
	k.patiently(func(d time.Duration) bool {
		t := begin(k, space.For(d))
		keeper := space.KeepAlive(k.ctx, d, t.Lease())
		defer keeper.Stop()
		time.Sleep(2 * d) // the first lease would be over
		_, err := space.Write(k.ctx, k.sp, e1, space.In(t))
		if err != nil {
			k.fails(space.ErrTxnEnded, err)
			return false
		}
		if err := t.Abort(k.ctx); err != nil { // as late as that
			k.fails(space.ErrTxnEnded, err)
			return false
		}
		loss := <-keeper.Lost()
		require.Equal(k, t.Lease().ID(), loss.Lease.ID())
		k.fails(space.ErrLeaseEnded, loss.Err)
		return true
	})
	require.Zero(k, k.total())
}

func txnLeaseOfWritten(k *kit) {
	t := begin(k)
	brief := write(k, e1, space.In(t), space.For(short))
	twin := write(k, e1, space.In(t), space.For(long))
	later := write(k, e2, space.In(t), space.For(3*short))
	require.Equal(k, short, brief.Granted())
	k.endedIn(t, brief)
	require.Equal(k, 1, count(k, e1, space.In(t)))
	require.Equal(k, e1, take(k, e1, space.In(t)))
	absent(k, e1, space.In(t))
	k.endedIn(t, later)
	absent(k, simple{}, space.In(t))
	k.fails(space.ErrLeaseEnded, later.Cancel(k.ctx))
	k.fails(space.ErrLeaseEnded, twin.Cancel(k.ctx))
	write(k, e3, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e3}, drain(k, simple{}))
}

// endedIn returns once the lease of an entry that only t sees has ended.
func (k *kit) endedIn(t *space.Txn, l *space.Lease) {
	k.Helper()
	q := k.match()
	q.Txn, q.Max = t.ID(), 1000
	for there := true; there; time.Sleep(time.Millisecond) { // the next look
		there = false
		for e, err := range k.sp.Contents(k.ctx, q) {
			k.ok(err)
			there = there || e.ID == l.ID()
		}
	}
}

func txnLeaseOfRenewed(k *kit) {
	k.patiently(func(d time.Duration) bool {
		t := begin(k)
		l := write(k, e1, space.In(t), space.For(d))
		_, err := l.Renew(k.ctx, long)
		if err != nil {
			k.fails(space.ErrLeaseEnded, err)
			abort(k, t)
			return false
		}
		time.Sleep(2 * d) // the first lease would be over
		require.Equal(k, e1, read(k, e1, space.In(t)))
		commit(k, t)
		require.Equal(k, e1, read(k, e1))
		_, err = l.Renew(k.ctx, short)
		k.ok(err)
		k.ended(l)
		absent(k, e1)
		return true
	})
}

func txnLeaseUnderTake(k *kit) {
	for _, end := range []func(*kit, *space.Txn){abort, commit, lapse} {
		for _, v := range verbs[2:] {
			l := write(k, e1, space.For(long))
			t := begin(k)
			_, err := find[simple](v)(k.ctx, k.sp, e1, space.In(t))
			k.ok(err)
			write(k, e2, space.In(t))
			_, err = l.Renew(k.ctx, brief)
			k.ok(err)
			for err == nil {
				time.Sleep(brief)
				_, err = l.Renew(k.ctx, 0)
			}
			k.fails(space.ErrLeaseEnded, err)
			end(k, t)
			absent(k, e1)
			drain(k, simple{})
		}
	}
}

func txnLeaseUnderRead(k *kit) {
	l := write(k, e1, space.For(short))
	a, b := begin(k), begin(k)
	for _, t := range []*space.Txn{a, b} {
		_, err := space.Read(k.ctx, k.sp, e1, space.In(t), space.NoWait())
		if err != nil { // a slow machine
			k.fails(space.ErrNoMatch, err)
		}
	}
	k.ended(l)
	absent(k, e1)
	absent(k, e1, space.In(a))
	write(k, e2, space.In(a))
	commit(k, a)
	abort(k, b)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func txnLeaseCancelUnderLock(k *kit) {
	for _, end := range []func(*kit, *space.Txn){abort, commit} {
		ls := writeAll(k, e2, e3)
		t := begin(k)
		read(k, e2, space.In(t))
		_, err := space.Replace(k.ctx, k.sp, ls[1].ID(), 0, simple{"A", 33}, space.In(t))
		k.ok(err)
		own := write(k, simple{"own", 1}, space.In(t))
		for _, l := range append(ls, own) {
			k.ok(l.Cancel(k.ctx))
			k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
		}
		absent(k, simple{}, space.In(t))
		write(k, simple{"own", 2}, space.In(t))
		end(k, t)
		absent(k, simple{Name: "A"})
		absent(k, simple{ID: 2, Name: "B"})
		drain(k, simple{})
	}
}

func txnLeaseForever(k *kit) {
	t := begin(k)
	l := write(k, e1, space.In(t))
	require.Equal(k, space.Forever, l.Granted())
	for _, l := range writeAllIn(k, t, e1, e2) {
		require.Equal(k, space.Forever, l.Granted())
	}
	commit(k, t)
	require.Equal(k, []simple{e1, e1, e2}, drain(k, simple{}))
}
