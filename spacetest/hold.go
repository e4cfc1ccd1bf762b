package spacetest

import (
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// What a transaction has taken it holds, until its holder says what becomes of it, or vanishes.
func holdCases() cases {
	return cases{
		{"a holder whose lease ends has made an attempt", holdLapses},                     // 5.9
		{"a holder that gives up has made none", holdGivenUp},                             // 5.9
		{"who cancels an entry that is taken dooms its holder", holdDoomed},               // 5.6
		{"a doomed holder's calls that wait end", holdDoomedWaits},                        // 5.6, 4.6
		{"kinds tell what is ready, held and delayed", holdKinds},                         // 8.4
		{"an entry whose lease ends by itself leaves its holder to commit", holdOutlives}, // 5.6
	}
}

func holdLapses(k *kit) {
	l := write(k, e1)
	write(k, e2)
	for n := range uint32(3) {
		t := begin(k)
		take(k, e1, space.In(t))
		take(k, e2, space.In(t))
		lapse(k, t)
		require.Equal(k, []simple{e1, e2}, readUpTo(k, 10, simple{}), "in their old places")
		require.Equal(k, n+1, k.stored(l.ID()).Attempts)
	}
}

func holdGivenUp(k *kit) {
	l := write(k, e1)
	for _, end := range []func(*kit, *space.Txn){
		abort, cancelTxn,
		func(k *kit, t *space.Txn) { k.ok(t.Rollback(k.ctx)); commit(k, t) },
	} {
		t := begin(k)
		take(k, e1, space.In(t))
		end(k, t)
		require.Zero(k, k.stored(l.ID()).Attempts)
	}
	t := begin(k)
	read(k, e1, space.In(t))
	lapse(k, t)
	require.Zero(k, k.stored(l.ID()).Attempts, "who reads holds nothing")
}

func holdDoomed(k *kit) {
	for _, end := range []func(t *space.Txn) error{
		func(t *space.Txn) error { return t.Commit(k.ctx) },
		func(t *space.Txn) error { return t.Abort(k.ctx) },
		func(t *space.Txn) error { return t.Rollback(k.ctx) },
	} {
		ls := writeAll(k, e1, e2, e3)
		t := begin(k)
		take(k, e1, space.In(t))
		take(k, e2, space.In(t))
		read(k, e3, space.In(t))
		write(k, simple{"own", 1}, space.In(t))
		k.ok(ls[0].Cancel(k.ctx))
		k.fails(space.ErrLeaseEnded, ls[0].Cancel(k.ctx))
		k.fails(space.ErrTxnEnded, end(t))
		require.Equal(k, []simple{e2, e3}, drain(k, simple{}), "nothing of it has happened")
	}
}

func holdDoomedWaits(k *kit) {
	l := write(k, e1)
	t := begin(k)
	take(k, e1, space.In(t))
	waits := startFind(k, verbs[2], e2, space.In(t))
	k.parked(1)
	k.ok(l.Cancel(k.ctx))
	_, err := waits.wait()
	k.fails(space.ErrTxnEnded, err)
}

func holdOutlives(k *kit) {
	l := write(k, e1, space.For(brief))
	t := begin(k)
	if _, err := space.Take(k.ctx, k.sp, e1, space.In(t), space.NoWait()); err != nil { // a slow machine
		k.fails(space.ErrNoMatch, err)
	}
	k.ended(l)
	write(k, e2, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func holdKinds(k *kit) {
	info := func() (count, held, delayed int) {
		kinds, err := k.sp.Kinds(k.ctx)
		k.ok(err)
		require.Len(k, kinds, 1)
		return kinds[0].Count, kinds[0].Held, kinds[0].Delayed
	}
	expect := func(want ...int) {
		k.Helper()
		count, held, delayed := info()
		require.Equal(k, want, []int{count, held, delayed})
	}
	ls := writeAll(k, e1, e2, e3, e1, e2)
	write(k, e3, space.Delay(long))
	expect(5, 0, 1)
	a, b := begin(k), begin(k)
	take(k, e1, space.In(a))
	take(k, e1, space.In(a))
	replace(k, ls[1].ID(), 0, simple{"changed", 2}, space.In(b))
	write(k, simple{"own", 1}, space.In(b))
	read(k, e3, space.In(b))
	expect(2, 3, 1)
	commit(k, b)
	expect(4, 2, 1)
	k.ok(a.Defer(k.ctx, ls[0].ID(), long))
	commit(k, a)
	expect(4, 0, 2)
}
