package spacetest

import (
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

func outcomeCases() cases {
	return cases{
		{"the outcome of a transaction can be asked for", outcomeTxn},        // semantics 2.5
		{"a transaction that never began has no outcome", outcomeNeverBegan}, // semantics 2.5
		{"what never was a transaction has no outcome", outcomeNoTxn},        // semantics 2.5
		{"an outcome is asked for by a name", outcomeName},
	}
}

// fateOf returns what has become of a transaction.
func (k *kit) fateOf(t *space.Txn) space.Fate {
	k.Helper()
	fate, err := t.Outcome(k.ctx)
	k.ok(err)
	v, err := space.Outcome(k.ctx, k.sp, space.TxnCall(t.ID()))
	k.ok(err)
	require.Equal(k, fate, v.Fate)
	other, err := space.TxnOf(k.sp, t.ID()).Outcome(k.ctx)
	k.ok(err)
	require.Equal(k, fate, other)
	return fate
}

func outcomeTxn(k *kit) {
	writeAll(k, e1, e2)
	wrote, read, aborted, cancelled := begin(k), begin(k), begin(k), begin(k)
	write(k, e3, space.In(wrote))
	take(k, e1, space.In(wrote))
	take(k, e2, space.In(aborted))
	for _, t := range []*space.Txn{wrote, read, aborted, cancelled} {
		require.Equal(k, space.Undecided, k.fateOf(t))
	}
	k.ok(wrote.Commit(k.ctx))
	k.ok(read.Commit(k.ctx))
	k.ok(aborted.Abort(k.ctx))
	k.ok(cancelled.Lease().Cancel(k.ctx))
	for range 2 {
		require.Equal(k, space.Committed, k.fateOf(wrote))
		require.Equal(k, space.Committed, k.fateOf(read), "though it changed nothing")
		require.Equal(k, space.Aborted, k.fateOf(aborted))
		require.Equal(k, space.Aborted, k.fateOf(cancelled))
		writeAll(k, e1, e2)
	}
}

func outcomeNeverBegan(k *kit) {
	t := begin(k)
	v, err := space.Outcome(k.ctx, k.sp, space.TxnCall(txn.ID{Space: t.ID().Space, Number: t.ID().Number + 1<<40}))
	k.ok(err)
	require.Equal(k, space.Unknown, v.Fate)
	v, err = space.Outcome(k.ctx, k.sp, space.CallID{Space: t.ID().Space, Session: 1 << 40, Number: 1})
	k.ok(err)
	require.Equal(k, space.Unknown, v.Fate)
}

// outcomeNoTxn asks for the outcome of entries and registrations, which have identities like transactions.
func outcomeNoTxn(k *kit) {
	t := begin(k)
	leases := []*space.Lease{write(k, e1), write(k, e2, space.In(t))}
	k.ok(t.Commit(k.ctx))
	leases = append(leases, write(k, e3))
	take(k, e3)
	for _, l := range leases {
		v, err := space.Outcome(k.ctx, k.sp, space.CallID{Space: t.ID().Space, Number: uint64(l.ID())})
		k.ok(err)
		require.Equal(k, space.Unknown, v.Fate)
	}
	require.Equal(k, space.Committed, k.fateOf(t))
}

func outcomeName(k *kit) {
	for _, id := range []space.CallID{{}, {Space: begin(k).ID().Space}} {
		_, err := space.Outcome(k.ctx, k.sp, id)
		k.fails(space.ErrInvalidArgument, err)
	}
	for _, text := range []string{"", "a", "a/", "a/0", "a/b", "a/1/0", "a/1/2/3", "a/-1", "a/1/99999999999999999999"} {
		_, err := space.ParseCallID(text)
		k.fails(space.ErrInvalidArgument, err)
	}
	for _, id := range []space.CallID{{Space: "a", Number: 7}, {Space: "a", Session: 3, Number: 7}} {
		got, err := space.ParseCallID(id.String())
		k.ok(err)
		require.Equal(k, id, got)
	}
}

func restartOutcomes(k *kit) {
	committed, aborted, open := begin(k), begin(k), begin(k)
	write(k, e1, space.In(committed))
	write(k, e2, space.In(open))
	k.ok(committed.Commit(k.ctx))
	k.ok(aborted.Abort(k.ctx))
	k.restart()
	want := space.Undecided
	if k.crashes {
		want = space.Aborted // it had written something
	}
	require.Equal(k, []space.Fate{space.Committed, space.Aborted, want},
		[]space.Fate{k.fateOf(committed), k.fateOf(aborted), k.fateOf(open)})
	k.restart()
	require.Equal(k, space.Committed, k.fateOf(committed))
}
