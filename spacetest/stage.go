package spacetest

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func stageCases() cases {
	return cases{
		{"what is staged is written by the commit, and not before", stageCommit},
		{"what is staged is forgotten by an abort", stageAbort},
		{"staged entries come after the others, in their order", stageOrder},
		{"staged entries with a route", stageRoutes}, // semantics 10.1
		{"staged entries have leases and delays of their own", stageOptions},
		{"a commit that cannot write what is staged leaves the transaction open", stageRefused},
		{"nothing is staged for a transaction that has ended", stageEnded},
		{"a commit writes entries and grants them leases", stageGrants},
		{"a take begins a transaction for what it takes", takeTxnTakes},
		{"a take that finds nothing begins none", takeTxnNone},
		{"a transaction begins when its entry is found, however long that takes", takeTxnWaits},
		{"a bulk take begins a transaction for each entry", takeTxnMany},
		{"a waiting bulk take begins a transaction for each entry", takeTxnManyWait},
		{"a take that is cancelled begins no transaction", takeTxnCancelled},
		{"the lease of the transaction that a take begins", takeTxnLease},
		{"a take under a new transaction of what the type cannot hold", takeTxnUnusable},
		{"a commit takes the next entry at once", takeNextTakes},
		{"a commit takes effect while the take of the next entry waits", takeNextWaits},
		{"a commit that fails takes nothing", takeNextFails},
		{"take, result and commit, by many at once", takeTxnWorkers},
	}
}

func stageCommit(k *kit) {
	t := begin(k)
	k.ok(space.Stage(k.ctx, t, e1))
	k.ok(space.Stage(k.ctx, t, sample()))
	absent(k, e1, space.In(t))
	require.Zero(k, k.total())
	commit(k, t)
	require.Equal(k, e1, take(k, e1))
	require.Equal(k, sample(), take(k, every{}))
	require.Zero(k, k.total())
}

func stageAbort(k *kit) {
	t := begin(k)
	k.ok(space.Stage(k.ctx, t, e1))
	write(k, e2, space.In(t))
	abort(k, t)
	require.Zero(k, k.total())
}

func stageOrder(k *kit) {
	t := begin(k)
	k.ok(space.Stage(k.ctx, t, e3))
	write(k, e2, space.In(t))
	k.ok(space.Stage(k.ctx, t, e1))
	write(k, e2, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e2, e2, e3, e1}, drain(k, simple{}))
}

// routed is a kind whose entries with one name are together.
type routed struct {
	Name string `space:"name,route"`
	N    int
}

func stageRoutes(k *kit) {
	names := []string{"ann", "bob", "cid", "dora", "eve", "fay", "gus"}
	for _, name := range names {
		t := begin(k)
		k.ok(space.Stage(k.ctx, t, routed{name, 1}))
		commit(k, t)
	}
	t := begin(k)
	for _, name := range names {
		k.ok(space.Stage(k.ctx, t, routed{name, 2}))
	}
	commit(k, t)
	for _, name := range names {
		require.Equal(k, []routed{{name, 1}, {name, 2}}, drain(k, routed{Name: name}))
	}
}

func stageOptions(k *kit) {
	t := begin(k)
	began := time.Now()
	k.ok(space.Stage(k.ctx, t, e1, space.For(0)))
	k.ok(space.Stage(k.ctx, t, e2, space.Delay(short)))
	k.ok(space.Stage(k.ctx, t, e3, space.For(long)))
	commit(k, t)
	require.Equal(k, []simple{e3}, drain(k, simple{}))
	require.Equal(k, e2, startFind(k, verbs[2], simple{}).result(k))
	require.GreaterOrEqual(k, time.Since(began), short)
}

func stageRefused(k *kit) {
	write(k, e1)
	t := begin(k)
	take(k, e1, space.In(t))
	k.ok(space.Stage(k.ctx, t, e2))
	k.ok(space.Stage(k.ctx, t, simple{Name: strings.Repeat("x", tooMuch)}))
	k.fails(space.ErrTooLarge, t.Commit(k.ctx))
	require.Zero(k, k.total())
	k.ok(t.Rollback(k.ctx))
	require.Equal(k, e1, take(k, e1, space.In(t)))
	_, err := k.sp.Commit(k.ctx, t.ID(), []space.Draft{{Kind: "never registered", Lease: space.Forever}})
	k.fails(space.ErrInvalidArgument, err)
	ds := k.drafts(e3, e3)
	ds[1].Lease = -1
	_, err = k.sp.Commit(k.ctx, t.ID(), ds)
	k.fails(space.ErrInvalidArgument, err)
	require.Zero(k, k.total())
	absent(k, simple{}, space.In(t))
	k.ok(space.Stage(k.ctx, t, e3))
	commit(k, t)
	require.Equal(k, []simple{e3}, drain(k, simple{}))
}

func stageEnded(k *kit) {
	for _, end := range []func(*kit, *space.Txn){commit, abort} {
		t := begin(k)
		end(k, t)
		k.fails(space.ErrTxnEnded, space.Stage(k.ctx, t, e1))
	}
	t := begin(k)
	k.ok(space.Stage(k.ctx, t, e1))
	k.ok(t.Lease().Cancel(k.ctx))
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	require.Zero(k, k.total())
}

func stageGrants(k *kit) {
	t := begin(k)
	ds := k.drafts(e1, e2, e3)
	ds[0].Lease, ds[1].Lease = long, 0
	grants, err := k.sp.Commit(k.ctx, t.ID(), ds)
	k.ok(err)
	require.Len(k, grants, 3)
	require.Equal(k, []time.Duration{long, 0, space.Forever},
		[]time.Duration{grants[0].Granted, grants[1].Granted, grants[2].Granted})
	require.Equal(k, e1, take(k, simple{}))
	k.fails(space.ErrLeaseEnded, k.sp.Cancel(k.ctx, grants[0].ID))
	k.ok(k.sp.Cancel(k.ctx, grants[2].ID))
	require.Zero(k, k.total())
	k.fails(space.ErrTxnEnded, t.Abort(k.ctx))
}

// takeTxn is space.TakeTxn for a match that is there now.
func takeTxn[T any](k *kit, template T, opts ...space.TakeTxnOption) (T, *space.Txn) {
	k.Helper()
	v, t, err := space.TakeTxn(k.ctx, k.sp, template, append(opts, space.NoWait())...)
	k.ok(err)
	return v, t
}

func takeTxnTakes(k *kit) {
	writeAll(k, e1, e2, e3)
	got, t := takeTxn(k, simple{Name: "A"})
	require.Equal(k, e1, got)
	require.Equal(k, k.sp, t.Space())
	absent(k, e1)
	absent(k, e1, space.In(t))
	require.Equal(k, e3, take(k, simple{Name: "A"}, space.In(t)))
	abort(k, t)
	require.Equal(k, []simple{e1, e2, e3}, readUpTo(k, 10, simple{}))

	got, t = takeTxn(k, simple{}, space.OrderBy("-id", "-name"))
	require.Equal(k, e2, got)
	k.ok(space.Stage(k.ctx, t, simple{"done", 2}))
	commit(k, t)
	require.Equal(k, []simple{e1, e3, {"done", 2}}, drain(k, simple{}))
}

func takeTxnNone(k *kit) {
	for _, opts := range [][]space.TakeTxnOption{{space.NoWait()}, {space.Wait(brief)}} {
		_, t, err := space.TakeTxn(k.ctx, k.sp, e1, opts...)
		k.fails(space.ErrNoMatch, err)
		require.Nil(k, t)
	}
	write(k, e1)
	_, holder := takeTxn(k, e1)
	_, t, err := space.TakeTxn(k.ctx, k.sp, e1, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	require.Nil(k, t)
	commit(k, holder)
}

// begun is what TakeTxn returns.
type begun struct {
	value simple
	txn   *space.Txn
}

// startTakeTxn starts a TakeTxn that waits.
func startTakeTxn(k *kit, template simple, opts ...space.TakeTxnOption) *pending[begun] {
	return start(k, func(ctx context.Context) (begun, error) {
		v, t, err := space.TakeTxn(ctx, k.sp, template, opts...)
		return begun{v, t}, err
	})
}

func takeTxnWaits(k *kit) {
	p := startTakeTxn(k, e1, space.For(long))
	k.parked(1)
	time.Sleep(brief) // it holds no transaction meanwhile that could expire
	holder := begin(k)
	write(k, e1, space.In(holder))
	commit(k, holder)
	got := p.result(k)
	require.Equal(k, e1, got.value)
	require.LessOrEqual(k, got.txn.Lease().Granted(), long)
	absent(k, e1)
	abort(k, got.txn)
	require.Equal(k, e1, take(k, e1))

	k.patiently(func(d time.Duration) bool { // a lease that is shorter than the wait
		p := startTakeTxn(k, e1, space.For(d))
		time.Sleep(2 * d)
		write(k, e1)
		got := p.result(k)
		if err := got.txn.Commit(k.ctx); err != nil {
			k.fails(space.ErrTxnEnded, err)
			drain(k, simple{})
			return false
		}
		absent(k, e1)
		return true
	})
}

// begunQuery asks for up to n entries of a name, each under a separate transaction.
func begunQuery(k *kit, n int) space.Query {
	q := k.match(simple{Name: "A"})
	q.Max, q.Begin, q.Lease, q.NoWait = n, true, long, false
	return q
}

func takeTxnMany(k *kit) {
	writeAll(k, e1, e2, e3, e1)
	entries, err := k.sp.Take(k.ctx, begunQuery(k, 10))
	k.ok(err)
	require.Equal(k, []simple{e1, e3, e1}, decode(k, entries))
	require.Equal(k, []simple{e2}, readUpTo(k, 10, simple{}))
	abort(k, entries[0].Txn)
	commit(k, entries[1].Txn)
	require.Equal(k, []simple{e1, e2}, readUpTo(k, 10, simple{}))
	write(k, e3, space.In(entries[2].Txn))
	commit(k, entries[2].Txn)
	require.Equal(k, []simple{e1, e2, e3}, drain(k, simple{}))
}

func takeTxnManyWait(k *kit) {
	q := begunQuery(k, 2)
	p := start(k, func(ctx context.Context) ([]space.Entry, error) { return k.sp.Take(ctx, q) })
	k.needParked(1)
	writeAll(k, e2, e1, e3, e1)
	entries := p.result(k)
	require.Equal(k, []simple{e1, e3}[:len(entries)], decode(k, entries))
	for _, e := range entries {
		abort(k, e.Txn)
	}
	require.Equal(k, []simple{e2, e1, e3, e1}, drain(k, simple{}))
}

func takeTxnCancelled(k *kit) {
	for i := range 50 {
		v := simple{"A", i + 1}
		p := startTakeTxn(k, v)
		if i%2 == 0 {
			k.parked(1)
		}
		written := start(k, func(ctx context.Context) (any, error) { return space.Write(ctx, k.sp, v) })
		p.cancel()
		written.result(k)
		got, err := p.wait()
		if err == nil {
			absent(k, v)
			abort(k, got.txn)
		} else {
			k.fails(context.Canceled, err)
			require.Nil(k, got.txn)
		}
		require.Equal(k, v, take(k, v))
	}
}

func takeTxnLease(k *kit) {
	write(k, e1)
	_, t := takeTxn(k, e1)
	require.Equal(k, time.Minute, t.Lease().Granted())
	_, err := t.Lease().Renew(k.ctx, long)
	k.ok(err)
	k.ok(t.Lease().Cancel(k.ctx))
	require.Equal(k, e1, read(k, e1))

	_, t, err = space.TakeTxn(k.ctx, k.sp, e1, space.For(short))
	k.ok(err)
	require.Equal(k, e1, startFind(k, verbs[2], e1).result(k)) // when it has expired
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	_, _, err = space.TakeTxn(k.ctx, k.sp, e1, space.For(-1))
	k.fails(space.ErrInvalidArgument, err)
}

func takeTxnUnusable(k *kit) {
	write(k, wide{300})
	for _, end := range []func(*kit, *space.Txn){abort, commit} {
		_, t, err := space.TakeTxn(k.ctx, k.sp, narrow{}, space.NoWait())
		var unusable *space.UnusableEntryError
		require.ErrorAs(k, err, &unusable)
		require.NotNil(k, t)
		absent(k, wide{})
		end(k, t)
	}
	require.Zero(k, k.total())
}

// takeTxnWorkers turns jobs into results, with some that give up halfway.
func takeTxnWorkers(k *kit) {
	const jobs, workers = 120, 6
	var all []*pending[int]
	for w := range workers {
		all = append(all, start(k, func(ctx context.Context) (done int, err error) {
			for n := 0; ; n++ {
				v, t, err := space.TakeTxn(ctx, k.sp, simple{Name: "job"}, space.NoWait())
				if err != nil {
					return done, nil // the others have the rest, or no worker has
				}
				if n%5 == w%5 {
					if err := t.Abort(ctx); err != nil {
						return done, err
					}
					continue
				}
				if err := space.Stage(ctx, t, simple{"result", v.ID}); err != nil {
					return done, err
				}
				if err := t.Commit(ctx); err != nil {
					return done, err
				}
				done++
			}
		}))
		for i := range jobs / workers {
			write(k, simple{"job", w*jobs/workers + i + 1})
		}
	}
	done := 0
	for _, p := range all {
		done += p.result(k)
	}
	seen := map[int]bool{}
	results := 0
	for _, v := range drain(k, simple{}) {
		require.False(k, seen[v.ID])
		seen[v.ID] = true
		results += btoi(v.Name == "result")
	}
	require.Len(k, seen, jobs)
	require.Equal(k, done, results)
}

func takeNextTakes(k *kit) {
	writeAll(k, e1, e2, e3)
	_, t := takeTxn(k, e1)
	k.ok(space.Stage(k.ctx, t, simple{"done", 1}))
	got, next, err := space.TakeNext(k.ctx, t, simple{Name: "B"}, space.NoWait())
	k.ok(err)
	require.Equal(k, e2, got)
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	require.Equal(k, simple{"done", 1}, take(k, simple{Name: "done"}))
	require.Equal(k, []simple{e3}, readUpTo(k, 10, simple{}))

	_, none, err := space.TakeNext(k.ctx, next, e1, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	require.Nil(k, none)
	k.fails(space.ErrTxnEnded, next.Commit(k.ctx))
	require.Equal(k, []simple{e3}, drain(k, simple{}), "it is committed")
}

func takeNextWaits(k *kit) {
	write(k, e1)
	_, t := takeTxn(k, e1)
	k.ok(space.Stage(k.ctx, t, simple{"done", 1}))
	p := start(k, func(ctx context.Context) (begun, error) {
		v, t, err := space.TakeNext(ctx, t, e2)
		return begun{v, t}, err
	})
	got, err := space.Take(k.ctx, k.sp, simple{Name: "done"})
	k.ok(err)
	require.Equal(k, simple{"done", 1}, got)
	write(k, e2)
	next := p.result(k)
	require.Equal(k, e2, next.value)
	commit(k, next.txn)
	require.Zero(k, k.total())
}

func takeNextFails(k *kit) {
	write(k, e1)
	_, t := takeTxn(k, e1)
	abort(k, t)
	for _, opts := range [][]space.TakeTxnOption{{space.NoWait()}, {space.Wait(long)}} {
		for _, wanted := range []simple{e1, e2} { // one is there, one is not
			_, next, err := space.TakeNext(k.ctx, t, wanted, opts...)
			k.fails(space.ErrTxnEnded, err)
			require.Nil(k, next)
			require.Equal(k, []simple{e1}, readUpTo(k, 10, simple{}))
		}
	}
	require.Equal(k, e1, take(k, e1), "it is not locked")
}
