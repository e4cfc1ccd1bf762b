package spacetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// Neighbor is implemented by spaces that share transactions with other, named ones. Where it is missing the cases about
// transactions over several spaces are skipped.
type Neighbor interface {
	Neighbor(name string) space.Space
}

func txnSpacesCases() cases {
	return cases{
		{"a transaction over two spaces takes effect in both", spansCommit}, // semantics 5.3
		{"a transaction over two spaces is undone in both", spansAbort},     // semantics 5.3
		{"its lease ends it in both", spansLease},                           // semantics 5.2, 5.3
		{"its locks hold in both", spansLocks},                              // semantics 5
		{"it is rolled back in both", spansRollback},
		{"an ended transaction has ended in both", spansEnded}, // semantics 5.2
		{"waits in both end with it", spansWaits},              // semantics 4
		{"it is known by its identity in both", spansIdentity}, // semantics 5.2
		{"what is read in one and changed in the other", spansReads},
		{"a take that begins a transaction goes on in another space", spansTakeTxn},
		{"money moves between spaces, and none is lost", spansTransfers}, // semantics 5.3
	}
}

// neighbor returns a case's space and a second one with which it shares transactions.
func (k *kit) neighbor() (home, away *kit) {
	k.Helper()
	n, ok := k.sp.(Neighbor)
	if !ok {
		k.Skip("this space shares its transactions with no other")
	}
	return k, &kit{T: k.T, ctx: k.ctx, sp: n.Neighbor("neighbor")}
}

func spansCommit(k *kit) {
	home, away := k.neighbor()
	write(home, e1)
	write(away, e2)
	t := begin(home)
	take(home, e1, space.In(t))
	take(away, e2, space.In(t))
	write(home, e2, space.In(t))
	write(away, e1, space.In(t))
	k.ok(space.Stage(k.ctx, t, e3))
	for _, s := range []*kit{home, away} {
		require.Zero(k, s.total())
		require.Equal(k, 1, count(s, simple{}, space.In(t)))
	}
	commit(home, t)
	require.Equal(k, []simple{e2, e3}, drain(home, simple{}))
	require.Equal(k, []simple{e1}, drain(away, simple{}))
}

func spansAbort(k *kit) {
	home, away := k.neighbor()
	writeAll(home, e1, e3)
	writeAll(away, e2, e3)
	t := begin(home)
	take(home, simple{}, space.In(t))
	take(away, simple{}, space.In(t))
	write(home, e2, space.In(t))
	write(away, e1, space.In(t))
	abort(home, t)
	require.Equal(k, []simple{e1, e3}, drain(home, simple{}))
	require.Equal(k, []simple{e2, e3}, drain(away, simple{}))
}

func spansLease(k *kit) {
	home, away := k.neighbor()
	for _, end := range []func(*kit, *space.Txn){lapse, cancelTxn} {
		write(away, e1)
		t := begin(home)
		take(away, e1, space.In(t))
		write(home, e2, space.In(t))
		end(home, t)
		require.Equal(k, e1, startFind(away, verbs[2], e1).result(k))
		_, err := space.Write(k.ctx, away.sp, e2, space.In(t))
		k.fails(space.ErrTxnEnded, err)
		require.Zero(k, home.total())
		require.Zero(k, away.total())
	}
}

func spansLocks(k *kit) {
	home, away := k.neighbor()
	for _, s := range []*kit{home, away} {
		writeAll(s, e1, e2)
		a, b := begin(home), begin(home)
		read(s, e1, space.In(a))
		take(s, e2, space.In(a))
		write(s, e3, space.In(a))
		require.Equal(k, e1, read(s, e1, space.In(b)))
		for _, v := range []simple{e2, e3} {
			absent(s, v, space.In(b))
			absent(s, v)
		}
		_, err := space.Take(k.ctx, s.sp, e1, space.NoWait())
		k.fails(space.ErrNoMatch, err)
		commit(home, b)
		require.Equal(k, e1, take(s, e1, space.In(a)))
		commit(home, a)
		require.Equal(k, []simple{e3}, drain(s, simple{}))
	}
}

func spansRollback(k *kit) {
	k.needOnePartition()
	home, away := k.neighbor()
	write(home, e1)
	write(away, e2)
	t := begin(home)
	take(home, e1, space.In(t))
	take(away, e2, space.In(t))
	write(away, e3, space.In(t))
	k.ok(t.Rollback(k.ctx))
	require.Equal(k, e1, read(home, simple{}))
	require.Equal(k, e2, startFind(away, verbs[0], e2).result(k))
	write(home, e3, space.In(t))
	commit(home, t)
	require.Equal(k, []simple{e1, e3}, drain(home, simple{}))
	require.Equal(k, []simple{e2}, drain(away, simple{}))
}

func spansEnded(k *kit) {
	home, away := k.neighbor()
	id := write(away, e1).ID()
	for _, end := range []func(*kit, *space.Txn){commit, abort} {
		t := begin(home)
		read(away, e1, space.In(t))
		end(home, t)
		for name, use := range usesOf(away, t, id) {
			require.ErrorIs(k, use(), space.ErrTxnEnded, name)
		}
	}
	require.Equal(k, []simple{e1}, drain(away, simple{}))
}

func spansWaits(k *kit) {
	home, away := k.neighbor()
	for _, end := range []func(*kit, *space.Txn){commit, abort, lapse} {
		t := begin(home)
		here, there := startFind(home, verbs[2], e1, space.In(t)), startFind(away, verbs[2], e1, space.In(t))
		home.parked(1)
		write(away, e2, space.In(t)) // the branch is there
		end(home, t)
		for _, p := range []*pending[simple]{here, there} {
			_, err := p.wait()
			k.fails(space.ErrTxnEnded, err)
		}
		drain(away, simple{})
	}
}

func spansIdentity(k *kit) {
	home, away := k.neighbor()
	t := begin(home)
	other := space.TxnOf(home.sp, t.ID())
	write(away, e1, space.In(other))
	require.Equal(k, e1, read(away, e1, space.In(t)))
	write(home, e2, space.In(t))
	require.Equal(k, e2, read(home, e2, space.In(other)))
	commit(home, other)
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	require.Equal(k, e1, take(away, e1))
	require.Equal(k, e2, take(home, e2))
}

func spansReads(k *kit) {
	home, away := k.neighbor()
	write(home, e1)
	id := write(away, e1).ID()
	t := begin(home)
	read(home, e1, space.In(t))
	replace(away, id, 1, e2, space.In(t))
	absent(away, e1)
	absent(away, e2)
	commit(home, t)
	require.Equal(k, e2, take(away, simple{}))
	require.Equal(k, e1, take(home, simple{}))

	write(away, e1)
	t = begin(home)
	read(away, e1, space.In(t)) // nothing but a read there
	commit(home, t)
	require.Equal(k, e1, take(away, e1))
}

func spansTakeTxn(k *kit) {
	home, away := k.neighbor()
	write(home, e1)
	got, t := takeTxn(home, e1)
	write(away, got, space.In(t))
	k.ok(space.Stage(k.ctx, t, e2))
	require.Zero(k, away.total())
	commit(home, t)
	require.Equal(k, e1, take(away, simple{}))
	require.Equal(k, []simple{e2}, drain(home, simple{}))
}

func spansTransfers(k *kit) {
	home, away := k.neighbor()
	const tokens, movers, moves = 6, 3, 15
	for i := range tokens {
		write(home, simple{"token", i + 1})
	}
	var all []*pending[any]
	for m := range movers {
		from, to := home, away
		all = append(all, start(k, func(ctx context.Context) (any, error) {
			for n := range moves {
				t, err := space.Begin(ctx, []*kit{home, away}[(m+n)%2].sp)
				if err != nil {
					return nil, err
				}
				v, err := space.Take(ctx, from.sp, simple{Name: "token"}, space.In(t))
				if err == nil {
					_, err = space.Write(ctx, to.sp, v, space.In(t))
				}
				if err == nil {
					err = t.Commit(ctx)
				}
				if err != nil {
					return nil, err
				}
				from, to = to, from
			}
			return nil, nil
		}))
	}
	for _, p := range all {
		p.result(k)
	}
	seen := map[int]bool{}
	for _, v := range append(drain(home, simple{}), drain(away, simple{})...) {
		require.False(k, seen[v.ID])
		seen[v.ID] = true
	}
	require.Len(k, seen, tokens)
}
