package spacetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// RunRemade runs the cases about a space that is made anew, under the name of one that is gone with all that it held:
// that is what its Restarter's Restart does. It may leave the making to the next write.
func RunRemade(t *testing.T, open func(tb testing.TB) Restarter) {
	for _, c := range remadeCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			c.run(&kit{T: t, ctx: t.Context(), sp: r.Space(), restart: r.Restart, crashes: true})
		})
	}
}

func remadeCases() cases {
	return cases{
		{"numbers of entries mean nothing in it", remadeEntries},           // semantics 1.13
		{"numbers of transactions mean nothing in it", remadeTransactions}, // semantics 1.13
		{"identities are not used again", restartIdentities},
	}
}

// strangers writes more entries than have had identities so far in a case, and returns their number.
func strangers(k *kit) int {
	const n = 20
	for range n {
		write(k, e1)
	}
	return n
}

func remadeEntries(k *kit) {
	stale := append(writeAll(k, e1, e2), write(k, e3))
	k.restart()
	n := strangers(k)
	for _, l := range stale {
		_, err := l.Renew(k.ctx, long)
		k.fails(space.ErrLeaseEnded, err)
		k.fails(space.ErrLeaseEnded, l.Cancel(k.ctx))
		_, err = space.Replace(k.ctx, k.sp, l.ID(), 0, e2)
		k.fails(space.ErrNoMatch, err)
		q := k.match(simple{})
		q.ID = l.ID()
		_, err = k.sp.Take(k.ctx, q)
		k.fails(space.ErrNoMatch, err)
	}
	left := drain(k, simple{})
	require.Len(k, left, n)
	for _, v := range left {
		require.Equal(k, e1, v)
	}
}

func remadeTransactions(k *kit) {
	var stale []txn.ID
	for range 3 {
		write(k, e2)
		_, tx, err := space.TakeTxn(k.ctx, k.sp, simple{})
		k.ok(err)
		stale = append(stale, tx.ID())
	}
	k.restart()
	write(k, e1)
	var open []*space.Txn
	for range 2 * len(stale) {
		tx, err := space.Begin(k.ctx, k.sp, space.For(time.Hour))
		k.ok(err)
		open = append(open, tx)
	}
	for _, id := range stale {
		_, err := k.sp.Commit(k.ctx, id, nil)
		k.fails(space.ErrTxnEnded, err)
		k.fails(space.ErrTxnEnded, k.sp.Abort(k.ctx, id))
		verdict, err := space.Outcome(k.ctx, k.sp, space.CallID{Space: id.Space, Number: id.Number})
		k.ok(err)
		require.Equal(k, space.Unknown, verdict.Fate)
	}
	for _, tx := range open {
		k.ok(tx.Commit(k.ctx))
	}
}
