package spacetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/txn"
)

func restartTxnCases() cases {
	return cases{
		// semantics 9.2
		{"who has only taken goes on, and commits", restartHolds},
		// semantics 9.2
		{"who has only taken goes on, and gives back, in the old place", restartGivesBack},
		// semantics 9.2
		{"who has taken and done more has ended, and what it took is there, in its old place", restartVolatile},
		// semantics 9.2
		{"a handler goes on over a restart, and its job is done once", restartHandler},
		// semantics 9.2
		{"a handler hears at once that a restart has ended its transaction", restartHandlerLost},
		// semantics 9.2
		{"what was taken under a lease that ends is there again", restartLapsed},
		{"what an open transaction wrote never was", restartOpenWrites},
		{"the locks of an open transaction are gone", restartOpenLocks},
		{"what was committed is there as a whole", restartCommitted},
		{"what was aborted or rolled back stays undone", restartUndone},
		{"waits of an open transaction end", restartOpenWaits},
		{"who waited for a lock gets what it has let go of", restartLockWaits},
		{"transactions are not mistaken for those before", restartTxnIdentities},
		{"versions, attempts and places stay as they are", restartVersions},
		{"delayed and deferred entries come when they are due", restartDelays},
		{"what has become of transactions is not forgotten", restartOutcomes}, // semantics 2.5
		{"transfers leave the sum as it is", restartTransfers},
		{"what is in doubt happened as a whole or not at all", restartDoubt},
	}
}

// restartOpen restarts under an open transaction, which ends thereby if the server does, and is aborted otherwise.
func restartOpen(k *kit, t *space.Txn) {
	k.Helper()
	k.restart()
	if k.crashes {
		k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
		return
	}
	absent(k, simple{Name: "nothing"}, space.In(t)) // it is still open
	abort(k, t)
}

// logged makes sure that the log knows what was taken before: it knows what comes after.
func logged(k *kit) {
	k.Helper()
	k.ok(write(k, simple{"logged", 0}).Cancel(k.ctx))
}

func restartHolds(k *kit) {
	for _, v := range verbs[2:] {
		writeAll(k, e1, e2, e3, e1, e2)
		t := begin(k, space.For(long))
		_, err := find[simple](v)(k.ctx, k.sp, simple{ID: 2}, space.In(t))
		k.ok(err)
		_, job := takeTxn(k, e1)
		logged(k)
		k.restart()
		require.Equal(k, []simple{e3, e1, e2}, readUpTo(k, 10, simple{}))
		_, err = find[simple](v)(k.ctx, k.sp, simple{ID: 2}, space.In(t))
		k.ok(err)
		k.restart()
		require.Equal(k, []simple{e1, e2}, readUpTo(k, 10, simple{}))
		k.ok(space.Stage(k.ctx, job, simple{"done", 1}))
		commit(k, t)
		commit(k, job)
		require.Equal(k, []simple{e1, e2, {"done", 1}}, drain(k, simple{}))
		k.restart()
		require.Zero(k, k.total())
	}
}

func restartGivesBack(k *kit) {
	want := []simple{e1, e2, e3, e1, e2}
	ls := writeAll(k, want...)
	for _, end := range []func(*kit, *space.Txn){abort, cancelTxn} {
		t := begin(k, space.For(long))
		take(k, e2, space.In(t))
		take(k, e3, space.In(t))
		_, job := takeTxn(k, e1)
		logged(k)
		k.restart()
		require.Equal(k, want[3:], readUpTo(k, 10, simple{}))
		k.ok(t.Rollback(k.ctx, ls[2].ID()))
		require.Equal(k, []simple{e2, e1, e2}, readUpTo(k, 10, simple{}))
		end(k, t)
		end(k, job)
		k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
		require.Equal(k, want, readUpTo(k, 10, simple{}))
		k.restart()
		require.Equal(k, want, readUpTo(k, 10, simple{}))
	}
	require.Zero(k, k.stored(ls[0].ID()).Attempts)
}

func restartVolatile(k *kit) {
	if !k.crashes {
		return
	}
	want := []simple{e1, e2, e3}
	ls := writeAll(k, want...)
	for _, more := range []func(t *space.Txn){
		func(t *space.Txn) { read(k, e3, space.In(t)) },
		func(t *space.Txn) { write(k, simple{"own", 1}, space.In(t)) },
		func(t *space.Txn) { replace(k, ls[2].ID(), 0, simple{"changed", 3}, space.In(t)) },
		func(t *space.Txn) {
			_, err := space.Notify(k.ctx, k.sp, e1, space.In(t))
			k.ok(err)
		},
	} {
		for _, first := range []bool{true, false} {
			t := begin(k, space.For(long))
			if first {
				more(t)
			}
			take(k, e1, space.In(t))
			if !first {
				more(t)
			}
			k.restart()
			k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
			require.Equal(k, want, readUpTo(k, 10, simple{}))
		}
	}
	require.Zero(k, k.stored(ls[0].ID()).Attempts, "that was not for the holder to prevent")
}

func restartLapsed(k *kit) {
	l := write(k, e1)
	_, job := takeTxn(k, e1)
	logged(k)
	k.restart()
	lapse(k, job) // which its holder has renewed since
	require.Equal(k, e1, read(k, e1))
	require.Equal(k, uint32(1), k.stored(l.ID()).Attempts)
	k.restart()
	require.Equal(k, uint32(1), k.stored(l.ID()).Attempts)
}

func restartHandler(k *kit) {
	write(k, e1)
	attempts := 0
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		attempts++
		logged(k)
		for range 2 {
			k.restart()
			absent(k, simple{})
		}
		k.ok(ctx.Err())
		return finish(ctx, job)
	}, work.Config{Lease: time.Hour, Workers: 1})
	require.Equal(k, 1, attempts)
	require.Equal(k, 1, stats.Count(work.Done))
	require.Equal(k, []outcome{outcome(e1)}, drain(k, outcome{}))
}

func restartHandlerLost(k *kit) {
	if !k.crashes {
		return
	}
	write(k, e1)
	attempts := 0
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		if attempts++; attempts == 1 {
			write(k, simple{"own", 1}, space.In(job.Txn))
			k.restart()
			<-ctx.Done() // long before the lease is over
			k.fails(space.ErrTxnEnded, context.Cause(ctx))
		}
		return finish(ctx, job)
	}, work.Config{Lease: time.Hour, Workers: 1})
	require.Equal(k, 1, stats.Count(work.Lost))
	require.Equal(k, 1, stats.Count(work.Done))
	require.Equal(k, []outcome{outcome(e1)}, drain(k, outcome{}))
	require.Zero(k, k.total())
}

func restartOpenWrites(k *kit) {
	t := begin(k, space.For(long))
	writeAllIn(k, t, e1, e2)
	write(k, sample(), space.In(t))
	write(k, e3)
	restartOpen(k, t)
	require.Equal(k, []simple{e3}, drain(k, simple{}))
	require.Zero(k, k.total())
	k.restart()
	require.Zero(k, k.total())
}

func restartOpenLocks(k *kit) {
	ls := writeAll(k, e1, e2, e3)
	t := begin(k, space.For(long))
	read(k, e1, space.In(t))
	replace(k, ls[1].ID(), 0, simple{"changed", 2}, space.In(t))
	k.ok(t.Defer(k.ctx, takeOneIn(k, t, e3), long))
	restartOpen(k, t)
	require.Equal(k, uint32(1), k.stored(ls[1].ID()).Version)
	require.Zero(k, k.stored(ls[2].ID()).Attempts)
	require.Equal(k, []simple{e1, e2, e3}, drain(k, simple{}))
}

// takeOneIn takes an entry under a transaction and returns its identity.
func takeOneIn(k *kit, t *space.Txn, v simple) space.LeaseID {
	k.Helper()
	q := k.match(v)
	q.Txn = t.ID()
	entries, err := k.sp.Take(k.ctx, q)
	k.ok(err)
	return entries[0].ID
}

func restartCommitted(k *kit) {
	ls := writeAll(k, e1, e2, e3)
	t := begin(k)
	write(k, simple{"own", 1}, space.In(t))
	take(k, e1, space.In(t))
	replace(k, ls[1].ID(), 0, simple{"changed", 2}, space.In(t))
	k.ok(space.Stage(k.ctx, t, sample()))
	k.ok(space.Stage(k.ctx, t, simple{"own", 2}, space.For(long)))
	write(k, simple{"tx0", 1})
	commit(k, t)
	want := []simple{{"changed", 2}, e3, {"tx0", 1}, {"own", 1}, {"own", 2}}
	for range 2 {
		require.Equal(k, want, readUpTo(k, 10, simple{}))
		require.Equal(k, sample(), read(k, every{}))
		k.restart()
	}
	require.Equal(k, uint32(2), k.stored(ls[1].ID()).Version)
	require.Equal(k, want, drain(k, simple{}))
	k.fails(space.ErrLeaseEnded, ls[0].Cancel(k.ctx))
}

func restartUndone(k *kit) {
	writeAll(k, e1, e2)
	t := begin(k)
	take(k, e1, space.In(t))
	write(k, e3, space.In(t))
	abort(k, t)
	t = begin(k)
	take(k, e2, space.In(t))
	write(k, e3, space.In(t))
	k.ok(t.Rollback(k.ctx))
	write(k, simple{"own", 1}, space.In(t))
	commit(k, t)
	k.restart()
	require.Equal(k, []simple{e1, e2, {"own", 1}}, drain(k, simple{}))
}

// restartOpenWaits: a wait under a transaction ends with it, or goes on with it.
func restartOpenWaits(k *kit) {
	write(k, e1)
	blocker, t := begin(k, space.For(long)), begin(k, space.For(long))
	take(k, e1, space.In(blocker))
	var calls []*pending[simple]
	for _, v := range verbs {
		calls = append(calls, startFind(k, v, e1, space.In(t), space.Wait(long)))
	}
	k.parked(len(calls))
	k.restart()
	if !k.crashes {
		abort(k, t)
	}
	for i, p := range calls {
		_, err := p.wait()
		if !errors.Is(err, space.ErrOutcomeUnknown) {
			require.ErrorIs(k, err, space.ErrTxnEnded, verbs[i].name)
		}
	}
	_ = blocker.Abort(k.ctx)
	require.Equal(k, e1, take(k, e1))
}

func restartLockWaits(k *kit) {
	write(k, e1)
	t := begin(k, space.For(long))
	take(k, e1, space.In(t))
	reader := startFind(k, verbs[0], e1)
	ifExists := startFind(k, verbs[1], e1, space.Wait(long))
	k.parked(2)
	logged(k)
	k.restart()
	abort(k, t)
	require.Equal(k, e1, reader.result(k))
	require.Equal(k, e1, ifExists.result(k))
	taker := startFind(k, verbs[2], e1)
	require.Equal(k, e1, taker.result(k))
}

func restartTxnIdentities(k *kit) {
	seen := map[txn.ID]bool{}
	var before []*space.Txn
	for range 4 {
		for range 3 {
			t := begin(k)
			require.False(k, seen[t.ID()])
			seen[t.ID()] = true
			write(k, e1, space.In(t))
			before = append(before, t)
		}
		k.restart()
		fresh := begin(k)
		write(k, e2, space.In(fresh))
		for _, t := range before {
			err := t.Abort(k.ctx)
			if k.crashes {
				k.fails(space.ErrTxnEnded, err)
			}
		}
		commit(k, fresh)
		seen[fresh.ID()] = true
		require.Equal(k, []simple{e2}, drain(k, simple{}))
	}
}

func restartVersions(k *kit) {
	ls := writeAll(k, e1, e2, e3)
	for v := range uint32(5) {
		replace(k, ls[1].ID(), v+1, simple{"changed", int(v)})
	}
	for n := range uint32(3) {
		t := begin(k)
		k.ok(t.Defer(k.ctx, takeOneIn(k, t, e1), 0))
		commit(k, t)
		require.Equal(k, e1, startFind(k, verbs[0], e1).result(k))
		require.Equal(k, n+1, k.stored(ls[0].ID()).Attempts)
	}
	want := []simple{{"changed", 4}, e3, e1}
	for range 2 {
		require.Equal(k, want, readUpTo(k, 10, simple{}))
		require.Equal(k, uint32(6), k.stored(ls[1].ID()).Version)
		require.Equal(k, uint32(3), k.stored(ls[0].ID()).Attempts)
		k.restart()
	}
	_, err := space.Replace(k.ctx, k.sp, ls[1].ID(), 5, e2)
	k.fails(space.ErrVersionConflict, err)
	require.Equal(k, uint32(7), replace(k, ls[1].ID(), 6, e2))
	require.Equal(k, []simple{e2, e3, e1}, drain(k, simple{}))
}

func restartDelays(k *kit) {
	began := time.Now()
	const delay = 3 * short
	write(k, e1, space.Delay(delay))
	write(k, e2)
	t := begin(k)
	k.ok(t.Defer(k.ctx, takeOneIn(k, t, e2), delay))
	k.ok(space.Stage(k.ctx, t, e3, space.Delay(delay)))
	commit(k, t)
	cancelled := write(k, simple{"never", 1}, space.Delay(delay))
	k.ok(cancelled.Cancel(k.ctx))
	later := write(k, simple{"later", 1}, space.Delay(long))
	k.restart()
	for _, v := range []simple{e1, e2, e3} {
		require.Equal(k, v, startFind(k, verbs[0], v).result(k))
		require.GreaterOrEqual(k, time.Since(began), delay)
	}
	k.restart()
	require.ElementsMatch(k, []simple{e1, e2, e3}, readUpTo(k, 10, simple{}))
	k.ok(later.Cancel(k.ctx))
	require.Len(k, drain(k, simple{}), 3)
}

// restartTransfers moves money between accounts of two kinds, under transactions that every restart may hit. Each
// leaves a receipt.
func restartTransfers(k *kit) {
	const accounts, movers = 4, 4
	for i := range accounts {
		write(k, simple{fmt.Sprint(i), 1000})
		write(k, twin{fmt.Sprint(i), 1000})
	}
	ctx, stop := context.WithCancel(k.ctx)
	receipts := make([]int, movers)
	var wg sync.WaitGroup
	for m := range movers {
		wg.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				if err := moveMoney(k.ctx, k.sp, fmt.Sprint(n%accounts), n%7, receipt{m, n}); err == nil {
					receipts[m]++
				}
			}
		})
	}
	for range 3 {
		for k.total() < 2*accounts {
			time.Sleep(time.Millisecond) // the next look
		}
		k.restart()
	}
	stop()
	wg.Wait()
	sum, left := 0, 0
	for _, v := range drain(k, simple{}) {
		sum, left = sum+v.ID, left+1
	}
	for _, v := range drain(k, twin{}) {
		sum, left = sum+v.ID, left+1
	}
	require.Equal(k, 2*accounts, left)
	require.Equal(k, 2*accounts*1000, sum)
	seen := map[receipt]bool{}
	for _, r := range drain(k, receipt{}) {
		require.False(k, seen[r])
		seen[r] = true
	}
	acknowledged := 0
	for _, n := range receipts {
		acknowledged += n
	}
	require.GreaterOrEqual(k, len(seen), acknowledged)
	require.LessOrEqual(k, len(seen), acknowledged+3*movers) // as many can be in doubt
}

// receipt proves a transfer.
type receipt struct{ Mover, Number int }

// moveMoney moves an amount from an account of the one kind to that of the other, and leaves a receipt.
func moveMoney(ctx context.Context, sp space.Space, account string, amount int, r receipt) error {
	from, t, err := space.TakeTxn(ctx, sp, simple{Name: account}, space.Wait(long))
	if err != nil {
		return err
	}
	defer t.Abort(context.WithoutCancel(ctx)) // which fails after the commit
	to, err := space.Take(ctx, sp, twin{Name: account}, space.In(t))
	if err != nil {
		return err
	}
	from.ID, to.ID = from.ID-amount, to.ID+amount
	if _, err := space.Write(ctx, sp, from, space.In(t)); err != nil {
		return err
	}
	if err := errors.Join(space.Stage(ctx, t, to), space.Stage(ctx, t, r)); err != nil {
		return err
	}
	return t.Commit(ctx)
}

// restartDoubt restarts while transactions are being committed, and looks for each afterwards.
func restartDoubt(k *kit) {
	const rounds = 5
	for round := range rounds {
		for i := range 10 {
			write(k, simple{"job", i + 1})
		}
		var calls []*pending[any]
		for i := range 10 {
			v, t := takeTxn(k, simple{"job", i + 1})
			write(k, simple{"result", v.ID}, space.In(t))
			k.ok(space.Stage(k.ctx, t, simple{"receipt", v.ID}))
			calls = append(calls, start(k, func(ctx context.Context) (any, error) { return nil, t.Commit(ctx) }))
		}
		k.restart()
		for i, p := range calls {
			_, err := p.wait()
			jobs, results := count(k, simple{"job", i + 1}), count(k, simple{"result", i + 1})
			require.Equal(k, results, count(k, simple{"receipt", i + 1}))
			require.Equal(k, 1, jobs+results, "round %d: %v", round, err)
			switch {
			case err == nil:
				require.Equal(k, 1, results)
			case errors.Is(err, space.ErrTxnEnded):
				require.Equal(k, 1, jobs)
			default:
				k.fails(space.ErrOutcomeUnknown, err)
			}
		}
		drain(k, simple{})
	}
}
