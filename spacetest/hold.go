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
