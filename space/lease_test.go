package space_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// bubble runs test with a space in virtual time.
func bubble(t *testing.T, test func(ctx context.Context, sp space.Space)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sp := memory.New(memory.Config{})
		defer func() { require.NoError(t, sp.Close()) }()
		test(t.Context(), sp)
	})
}

func TestLease_CountsDown(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		lease, err := space.Write(ctx, sp, Task{ID: 1}, space.For(time.Minute))
		require.NoError(t, err)
		require.Equal(t, time.Minute, lease.Granted())
		require.Equal(t, time.Now().Add(time.Minute), lease.Expires())

		time.Sleep(40 * time.Second)
		require.Equal(t, 20*time.Second, lease.Remaining())
		require.Equal(t, 1, count(t, sp, Task{}))
		time.Sleep(20 * time.Second)
		require.Zero(t, lease.Remaining())
		require.Zero(t, count(t, sp, Task{}))
		_, err = lease.Renew(ctx, time.Minute)
		require.ErrorIs(t, err, space.ErrLeaseEnded)
		require.ErrorIs(t, lease.Cancel(ctx), space.ErrLeaseEnded)
		require.Zero(t, lease.Remaining(), "a failed renewal leaves the old expiry")
	})
}

func TestLease_IsCapped(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{MaxEntryLease: time.Hour, MaxEventLease: time.Minute, MaxTxnLease: time.Second})
	defer sp.Close()
	lease, err := space.Write(t.Context(), sp, Task{ID: 1})
	require.NoError(t, err)
	require.Equal(t, time.Hour, lease.Granted())
	reg, err := space.Notify(t.Context(), sp, Task{})
	require.NoError(t, err)
	require.Equal(t, time.Minute, reg.Lease().Granted())
	require.Equal(t, time.Second, begin(t, sp, space.For(space.Forever)).Lease().Granted())
	_, tx, err := space.TakeTxn(t.Context(), sp, Task{})
	require.NoError(t, err)
	require.Equal(t, time.Second, tx.Lease().Granted())
}

// A delay is not a lease: the cap of leases does not bound it, and it takes nothing from one.
func TestLease_CapIsNoneOfDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sp := memory.New(memory.Config{MaxEntryLease: time.Minute})
		defer func() { require.NoError(t, sp.Close()) }()
		lease, err := space.Write(t.Context(), sp, Task{ID: 1}, space.Delay(time.Hour))
		require.NoError(t, err)
		require.Equal(t, time.Minute, lease.Granted())
		require.Equal(t, time.Hour+time.Minute, lease.Remaining())
		time.Sleep(time.Hour - time.Second)
		require.Zero(t, count(t, sp, Task{}))
		time.Sleep(time.Minute)
		require.Equal(t, 1, count(t, sp, Task{}))
		require.Equal(t, time.Second, lease.Remaining())
		time.Sleep(2 * time.Second)
		require.Zero(t, count(t, sp, Task{}))
	})
}

// No arithmetic on what callers ask for may grant more than that.
func TestLease_BeyondTheEndOfTime(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		const centuries = 280 * 365 * 24 * time.Hour // ends later than int64 counts
		lease, err := space.Write(ctx, sp, Task{ID: 1}, space.For(centuries))
		require.NoError(t, err)
		require.LessOrEqual(t, lease.Granted(), centuries)
		granted, err := lease.Renew(ctx, centuries)
		require.NoError(t, err)
		require.Positive(t, granted)
		require.LessOrEqual(t, granted, centuries)
		tx, err := sp.Begin(ctx, centuries)
		require.NoError(t, err)
		granted, err = tx.Lease().Renew(ctx, centuries)
		require.NoError(t, err)
		require.LessOrEqual(t, granted, centuries)
		require.NoError(t, tx.Abort(ctx))

		_, err = space.Write(ctx, sp, Task{ID: 2}, space.Delay(centuries))
		require.ErrorIs(t, err, space.ErrInvalidArgument)
		_, err = space.Write(ctx, sp, Task{ID: 2}, space.Delay(space.MaxDelay), space.For(centuries))
		require.NoError(t, err)
		time.Sleep(space.MaxDelay - 1)
		require.Equal(t, 1, count(t, sp, Task{}))
		time.Sleep(time.Second)
		require.Equal(t, 2, count(t, sp, Task{}))
	})
}

func TestRenewAll_RenewsThoseThatGoOn(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		leases, err := space.WriteAll(ctx, sp, []Task{{ID: 1}, {ID: 2}, {ID: 3}}, space.For(time.Minute))
		require.NoError(t, err)
		require.NoError(t, space.RenewAll(ctx, time.Hour, leases...))
		require.NoError(t, leases[1].Cancel(ctx))
		err = space.RenewAll(ctx, 2*time.Hour, leases...)
		var failed *space.LeaseError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Failed, 1)
		require.ErrorIs(t, failed.Failed[leases[1].ID()], space.ErrLeaseEnded)
		for i, granted := range []time.Duration{2 * time.Hour, time.Hour, 2 * time.Hour} {
			require.Equal(t, granted, leases[i].Granted())
			require.Equal(t, granted, leases[i].Remaining())
		}

		require.NoError(t, space.RenewAll(ctx, time.Hour))
		other := memory.New(memory.Config{})
		defer other.Close()
		err = space.RenewAll(ctx, time.Hour, leases[0], write(t, other, Task{ID: 1})[0])
		require.ErrorIs(t, err, space.ErrInvalidArgument)
		require.Equal(t, 2*time.Hour, leases[0].Granted())
		ids := []space.LeaseID{leases[0].ID(), leases[1].ID(), leases[2].ID()}
		require.Error(t, sp.Cancel(ctx, ids...), "one has ended already")
		require.ErrorContains(t, sp.Cancel(ctx, ids...), "3 leases")
	})
}
