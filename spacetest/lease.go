package spacetest

import (
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func leaseCases() cases {
	return cases{
		{"a write without a lease lives forever", leaseDefault},              // semantics 6.1
		{"what is granted is at most what was asked for", leaseGranted},      // semantics 6.1
		{"each entry has its own lease", leaseOwn},                           // semantics 6.1
		{"an entry lives as long as its lease, and no longer", leaseExpires}, // semantics 6.4
		{"two leases of equal entries end on their own", leaseOfTwins},       // semantics 6.4
		{"many leases that end at once take all their entries", leaseManyExpire},
		{"an expired entry ends no wait", leaseExpiresUnderRead},
		{"a renewed entry lives on", leaseRenew},                                        // semantics 6.3
		{"renewing asks for a length from now, and may shorten", leaseRenewShorter},     // semantics 6.3
		{"renewing never makes a forever lease end unless asked to", leaseRenewForever}, // semantics 6.3
		{"a cancelled entry is gone at once", leaseCancel},                              // semantics 6.3
		{"renew and cancel of an ended lease are refused", leaseEnded},                  // semantics 6.3
		{"the lease of a taken entry has ended", leaseOfTaken},
		{"an unknown lease has ended", leaseUnknown},
		{"a negative renewal is refused and changes nothing", leaseRenewNegative},
		{"a renewal of zero ends the lease", leaseRenewZero},
		{"bulk renewal names those that have ended and renews the others", leaseBulkRenew},  // semantics 6.5
		{"bulk cancel names those that have ended and cancels the others", leaseBulkCancel}, // semantics 6.5
		{"a client that knows its number may renew and cancel a lease", leaseByNumber},
		{"a lease of the longest possible time is granted", leaseLongest},
		{"a keeper keeps entries alive, and stops", leaseKeeper}, // semantics 6.6
		{"a keeper tells when a lease is lost", leaseKeeperLoss}, // semantics 6.6
	}
}

// short is a lease that cases see the end of.
const short = 100 * time.Millisecond

// ended returns once the space has ended a lease that is not renewed any more.
func (k *kit) ended(l *space.Lease) {
	k.Helper()
	for k.visible(l.ID()) {
		time.Sleep(time.Millisecond) // the next look
	}
}

// visible reports whether the space holds the entry.
func (k *kit) visible(id space.LeaseID) bool {
	k.Helper()
	for e, err := range k.sp.Contents(k.ctx, k.match()) {
		k.ok(err)
		if e.ID == id {
			return true
		}
	}
	return false
}

func leaseDefault(k *kit) {
	for _, l := range []*space.Lease{write(k, e1), write(k, e1, space.For(space.Forever)), writeAll(k, e1)[0]} {
		require.Equal(k, space.Forever, l.Granted())
		require.Equal(k, space.Forever, l.Remaining())
		require.NotZero(k, l.ID())
	}
}

func leaseGranted(k *kit) {
	for _, d := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * 365 * time.Hour} {
		before := time.Now()
		l := write(k, e1, space.For(d))
		require.Positive(k, l.Granted())
		require.LessOrEqual(k, l.Granted(), d)
		require.LessOrEqual(k, l.Remaining(), d)
		require.False(k, l.Expires().After(time.Now().Add(d)))
		require.False(k, l.Expires().Before(before.Add(l.Granted())))
	}
}

func leaseOwn(k *kit) {
	seen := map[space.LeaseID]bool{}
	for _, l := range append(writeAll(k, e1, e1, e1), write(k, e1), write(k, e2)) {
		require.False(k, seen[l.ID()])
		seen[l.ID()] = true
	}
}

func leaseExpires(k *kit) {
	began := time.Now()
	l := write(k, e1, space.For(short))
	kept := write(k, e2, space.For(long))
	for {
		_, err := space.Read(k.ctx, k.sp, e1, space.NoWait())
		if errors.Is(err, space.ErrNoMatch) {
			break
		}
		k.ok(err)
	}
	require.GreaterOrEqual(k, time.Since(began), l.Granted()) // not a moment too early
	absent(k, e1)
	require.Equal(k, e2, read(k, simple{}))
	require.Equal(k, 1, k.total())
	require.Positive(k, kept.Remaining())
}

func leaseOfTwins(k *kit) {
	l := write(k, e1, space.For(short))
	write(k, e1, space.For(long))
	k.ended(l)
	require.Equal(k, 1, count(k, e1))
	require.Equal(k, e1, take(k, e1))
	absent(k, e1)
}

func leaseManyExpire(k *kit) {
	const n = 200
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	leases, err := space.WriteAll(k.ctx, k.sp, vs, space.For(short))
	k.ok(err)
	write(k, e2)
	k.ended(leases[n-1])
	require.Equal(k, []simple{e2}, drain(k, simple{}))
	for _, l := range leases {
		k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
	}
}

func leaseExpiresUnderRead(k *kit) {
	l := write(k, e1, space.For(short))
	reader := startFind(k, verbs[0], simple{ID: 2})
	k.parked(1)
	k.ended(l)
	write(k, e2)
	require.Equal(k, e2, reader.result(k))
}

func leaseRenew(k *kit) {
	k.patiently(func(d time.Duration) bool {
		l := write(k, e1, space.For(d))
		granted, err := l.Renew(k.ctx, long)
		if errors.Is(err, space.ErrLeaseEnded) {
			return false
		}
		k.ok(err)
		require.Equal(k, long, granted)
		require.Equal(k, long, l.Granted())
		time.Sleep(2 * d) // the old lease would be over
		require.Equal(k, e1, read(k, e1))

		_, err = l.Renew(k.ctx, short)
		k.ok(err)
		k.ended(l)
		absent(k, e1)
		return true
	})
}

// patiently calls try with longer and longer leases until it reports that this machine was quick enough for one.
func (k *kit) patiently(try func(d time.Duration) bool) {
	k.Helper()
	for d := short / 2; !try(d); d *= 2 {
		require.Less(k, d, time.Minute)
	}
}

func leaseRenewShorter(k *kit) {
	l := write(k, e1, space.For(long))
	granted, err := l.Renew(k.ctx, short)
	k.ok(err)
	require.LessOrEqual(k, granted, short)
	k.ended(l)
	absent(k, e1)
	_, err = l.Renew(k.ctx, long)
	k.fails(space.ErrLeaseEnded, err)
}

func leaseRenewForever(k *kit) {
	l := write(k, e1)
	granted, err := l.Renew(k.ctx, space.Forever)
	k.ok(err)
	require.Equal(k, space.Forever, granted)
	granted, err = l.Renew(k.ctx, long)
	k.ok(err)
	require.LessOrEqual(k, granted, long)
	granted, err = l.Renew(k.ctx, space.Forever)
	k.ok(err)
	require.Equal(k, space.Forever, granted)
	require.Equal(k, e1, read(k, e1))
}

func leaseCancel(k *kit) {
	l := write(k, e1, space.For(long))
	write(k, e1)
	k.ok(l.Cancel(k.ctx))
	require.Equal(k, 1, count(k, e1))
	k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
	require.Equal(k, e1, take(k, e1))
	absent(k, e1)
}

func leaseEnded(k *kit) {
	l := write(k, e1, space.For(brief))
	k.ended(l)
	_, err := l.Renew(k.ctx, long)
	k.fails(space.ErrLeaseEnded, err)
	k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
	absent(k, e1) // a failed renewal brings nothing back

	l = write(k, e1)
	k.ok(l.Cancel(k.ctx))
	_, err = l.Renew(k.ctx, long)
	k.fails(space.ErrLeaseEnded, err)
	absent(k, e1)
}

func leaseOfTaken(k *kit) {
	l := write(k, e1)
	take(k, e1)
	k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
	_, err := l.Renew(k.ctx, long)
	k.fails(space.ErrLeaseEnded, err)
	absent(k, e1)
}

func leaseUnknown(k *kit) {
	_, err := k.sp.Renew(k.ctx, long, 1<<60)
	k.fails(space.ErrLeaseEnded, err)
	k.fails(space.ErrLeaseEnded, k.sp.Cancel(k.ctx, 1<<60))
	k.fails(space.ErrLeaseEnded, k.sp.Cancel(k.ctx, 0))
}

func leaseRenewNegative(k *kit) {
	l := write(k, e1, space.For(long))
	_, err := l.Renew(k.ctx, -1)
	k.fails(space.ErrInvalidArgument, err)
	_, err = k.sp.Renew(k.ctx, -long, l.ID())
	k.fails(space.ErrInvalidArgument, err)
	require.Equal(k, long, l.Granted())
	require.Equal(k, e1, read(k, e1))
	k.ok(l.Cancel(k.ctx))
}

func leaseRenewZero(k *kit) {
	l := write(k, e1)
	_, err := l.Renew(k.ctx, 0)
	k.ok(err)
	absent(k, e1)
	k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
}

// failed returns the leases that a bulk call failed for.
func failed(k *kit, err error) map[space.LeaseID]error {
	k.Helper()
	k.fails(space.ErrLeaseEnded, err)
	var le *space.LeaseError
	require.ErrorAs(k, err, &le)
	for _, e := range le.Failed {
		k.fails(space.ErrLeaseEnded, e)
	}
	return le.Failed
}

// numbers returns the identities of leases.
func numbers(leases []*space.Lease) []space.LeaseID {
	ids := make([]space.LeaseID, len(leases))
	for i, l := range leases {
		ids[i] = l.ID()
	}
	return ids
}

func leaseBulkRenew(k *kit) {
	ids := numbers(writeAll(k, e1, e2, e3, e1))
	grants, err := k.sp.Renew(k.ctx, long, ids...)
	k.ok(err)
	require.Len(k, grants, 4)
	for i, g := range grants {
		require.Equal(k, ids[i], g.ID)
		require.Equal(k, long, g.Granted)
	}
	k.ok(k.sp.Cancel(k.ctx, ids[1], ids[3]))
	grants, err = k.sp.Renew(k.ctx, 2*long, ids...)
	lost := failed(k, err)
	require.Len(k, lost, 2)
	require.Contains(k, lost, ids[1])
	require.Contains(k, lost, ids[3])
	require.Len(k, grants, 4)
	require.Equal(k, 2*long, grants[0].Granted)
	require.Zero(k, grants[1].Granted)
	require.Equal(k, 2*long, grants[2].Granted)
	require.Equal(k, []simple{e1, e3}, drain(k, simple{}))
}

func leaseBulkCancel(k *kit) {
	ids := numbers(writeAll(k, e1, e2, e3))
	k.ok(k.sp.Cancel(k.ctx, ids[1]))
	lost := failed(k, k.sp.Cancel(k.ctx, ids...))
	require.Len(k, lost, 1)
	require.Contains(k, lost, ids[1])
	require.Zero(k, k.total())
	require.Len(k, failed(k, k.sp.Cancel(k.ctx, ids...)), 3)
}

func leaseByNumber(k *kit) {
	id := write(k, e1).ID()
	entries, err := k.sp.Read(k.ctx, k.match())
	k.ok(err)
	require.Equal(k, id, entries[0].ID)
	_, err = k.sp.Renew(k.ctx, long, entries[0].ID)
	k.ok(err)
	k.ok(k.sp.Cancel(k.ctx, entries[0].ID))
	absent(k, e1)
}

func leaseLongest(k *kit) {
	for _, d := range []time.Duration{space.Forever - 1, space.Forever / 2} {
		l := write(k, e1, space.For(d))
		require.Positive(k, l.Granted())
		require.LessOrEqual(k, l.Granted(), d)
		require.Equal(k, e1, take(k, e1))
	}
	l := write(k, e1)
	_, err := l.Renew(k.ctx, space.Forever-1)
	k.ok(err)
	require.Equal(k, e1, take(k, e1))
}

func leaseKeeper(k *kit) {
	k.patiently(func(d time.Duration) bool {
		l := write(k, e1, space.For(d))
		keeper := space.KeepAlive(k.ctx, d, l)
		defer keeper.Stop()
		time.Sleep(2 * d) // the first lease would be over
		if !k.visible(l.ID()) {
			return false
		}
		keeper.Stop()
		k.ended(l)
		absent(k, e1)
		return true
	})
}

func leaseKeeperLoss(k *kit) {
	leases := writeAll(k, e1, e2)
	k.ok(leases[1].Cancel(k.ctx))
	keeper := space.KeepAlive(k.ctx, short, leases...)
	loss := <-keeper.Lost()
	require.Equal(k, leases[1].ID(), loss.Lease.ID())
	k.fails(space.ErrLeaseEnded, loss.Err)
	k.fails(space.ErrLeaseEnded, keeper.Err())
	keeper.Stop()
	keeper.Stop()
	_, more := <-keeper.Lost()
	require.False(k, more)
}
