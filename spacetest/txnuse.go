package spacetest

import (
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

func txnUseCases() cases {
	return cases{
		{"any use of an ended transaction is refused and changes nothing", txnEnded}, // semantics 5.2, W-10, B-05, B-18
		{"an ended transaction stays refused, however it ended", txnEndedElsewhere},  // semantics 5.2
		{"a transaction that never began has ended", txnUnknown},
		{"a transaction that did nothing can be committed, and aborted", txnEmpty},
		{"a transaction is used by many at once", txnGoroutines}, // semantics 5.2
		{"a commit while calls are under way takes all of a call or nothing", txnCommitRaces},
		{"of many who end a transaction one does", txnEndRaces},
		{"transactions are told apart by their identities, which can be sent", txnIdentity},
		{"a transaction of another space is refused", txnForeign},
		{"transactions cannot be nested", txnNested}, // semantics 5.7
		{"many transactions are open at once", txnMany},
		{"options that make no sense are refused", txnOptions},
	}
}

// usesOf are all the calls that can be made under a transaction, by name. The space holds e1.
func usesOf(k *kit, t *space.Txn, id space.LeaseID) map[string]func() error {
	in := space.In(t)
	uses := map[string]func() error{
		"write":    func() error { _, err := space.Write(k.ctx, k.sp, e2, in); return err },
		"writeAll": func() error { _, err := space.WriteAll(k.ctx, k.sp, []simple{e2, e3}, in); return err },
		"readAll":  func() error { _, err := space.ReadAll(k.ctx, k.sp, simple{}, 5, in); return err },
		"takeAll":  func() error { _, err := space.TakeAll(k.ctx, k.sp, simple{}, 5, in); return err },
		"readID":   func() error { _, err := space.ReadID[simple](k.ctx, k.sp, id, in); return err },
		"takeID":   func() error { _, err := space.TakeID[simple](k.ctx, k.sp, id, in); return err },
		"count":    func() error { _, err := space.Count(k.ctx, k.sp, simple{}, in); return err },
		"contents": func() error {
			for _, err := range space.Contents(k.ctx, k.sp, simple{}, in) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"notify":  func() error { _, err := space.Notify(k.ctx, k.sp, simple{}, in); return err },
		"replace": func() error { _, err := space.Replace(k.ctx, k.sp, id, 0, e2, in); return err },
		"update": func() error {
			_, err := space.Update(k.ctx, k.sp, simple{}, func(v *simple) error { v.ID++; return nil }, in)
			return err
		},
		"add":      func() error { _, err := space.Add(k.ctx, k.sp, simple{}, "id", 1, in); return err },
		"rollback": func() error { return k.sp.Rollback(k.ctx, t.ID()) },
		"defer":    func() error { return k.sp.Defer(k.ctx, t.ID(), id, 0) },
		"commit":   func() error { _, err := k.sp.Commit(k.ctx, t.ID(), nil); return err },
		"commit with a write": func() error {
			_, err := k.sp.Commit(k.ctx, t.ID(), k.drafts(e2))
			return err
		},
		"abort":      func() error { return k.sp.Abort(k.ctx, t.ID()) },
		"its commit": func() error { return t.Commit(k.ctx) },
		"its abort":  func() error { return t.Abort(k.ctx) },
	}
	for _, v := range verbs {
		uses[v.name] = func() error { _, err := find[simple](v)(k.ctx, k.sp, simple{}, in); return err }
		uses[v.name+" without a match"] = func() error {
			_, err := find[simple](v)(k.ctx, k.sp, simple{Name: "Z"}, in, space.NoWait())
			return err
		}
	}
	return uses
}

func txnEnded(k *kit) {
	k.needOnePartition()
	id := write(k, e1).ID()
	reg := notify(k, simple{})
	for _, end := range []func(*kit, *space.Txn){commit, abort} {
		for _, busy := range []bool{true, false} {
			t := begin(k)
			if busy {
				read(k, e1, space.In(t))
			}
			end(k, t)
			for name, use := range usesOf(k, t, id) {
				require.ErrorIs(k, use(), space.ErrTxnEnded, name)
			}
			_, err := t.Lease().Renew(k.ctx, long)
			k.fails(space.ErrLeaseEnded, err)
			require.Equal(k, 1, k.total())
		}
	}
	write(k, mark)
	require.Empty(k, untilMark(k, reg))
	require.Equal(k, []simple{e1, mark}, drain(k, simple{}))
}

// txnEndedElsewhere ends transactions behind the back of the handle that is then used.
func txnEndedElsewhere(k *kit) {
	id := write(k, e1).ID()
	for name, end := range map[string]func(t *space.Txn) error{
		"committed by id": func(t *space.Txn) error { return space.TxnOf(k.sp, t.ID()).Commit(k.ctx) },
		"aborted by id":   func(t *space.Txn) error { return space.TxnOf(k.sp, t.ID()).Abort(k.ctx) },
		"cancelled":       func(t *space.Txn) error { return t.Lease().Cancel(k.ctx) },
		"cancelled by id": func(t *space.Txn) error { return k.sp.Cancel(k.ctx, space.LeaseID(t.ID().Number)) },
		"expired":         func(t *space.Txn) error { _, err := t.Lease().Renew(k.ctx, 0); return err },
	} {
		for use := range usesOf(k, begin(k), id) {
			t := begin(k)
			read(k, e1, space.In(t))
			require.NoError(k, end(t), name)
			require.ErrorIs(k, usesOf(k, t, id)[use](), space.ErrTxnEnded, "%s, %s", name, use)
		}
	}
	// Where transactions begin in another space the end of a lease may take a moment to get here.
	require.Equal(k, e1, startFind(k, verbs[2], simple{}).result(k))
	absent(k, simple{})
}

func txnUnknown(k *kit) {
	id := write(k, e1).ID()
	known := begin(k)
	unknown := space.TxnOf(k.sp, txn.ID{Space: known.ID().Space, Number: known.ID().Number + 1<<40})
	for name, use := range usesOf(k, unknown, id) {
		require.ErrorIs(k, use(), space.ErrTxnEnded, name)
	}
	require.Equal(k, []simple{e1}, drain(k, simple{}))
	entry := write(k, e1)
	notATxn := space.TxnOf(k.sp, txn.ID{Space: known.ID().Space, Number: uint64(entry.ID())})
	k.fails(space.ErrTxnEnded, notATxn.Abort(k.ctx))
	require.Equal(k, e1, take(k, e1))
}

func txnEmpty(k *kit) {
	commit(k, begin(k))
	abort(k, begin(k))
	t := begin(k)
	absent(k, simple{}, space.In(t))
	commit(k, t)
	require.Zero(k, k.total())
}

func txnGoroutines(k *kit) {
	const goroutines, each = 8, 20
	for i := range goroutines * each {
		write(k, simple{"in", i + 1})
	}
	t := begin(k)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				v, err := space.Take(k.ctx, k.sp, simple{Name: "in"}, space.In(t))
				if err == nil {
					_, err = space.Write(k.ctx, k.sp, simple{"out", v.ID}, space.In(t))
				}
				if err != nil {
					k.Error(g, i, err)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(k, k.total())
	commit(k, t)
	seen := map[int]bool{}
	for _, v := range drain(k, simple{}) {
		require.Equal(k, "out", v.Name)
		require.False(k, seen[v.ID])
		seen[v.ID] = true
	}
	require.Len(k, seen, goroutines*each)
}

// txnCommitRaces commits while other goroutines write pairs under the transaction: afterwards exactly the acknowledged
// pairs exist.
func txnCommitRaces(k *kit) {
	for round := range 20 {
		t := begin(k)
		acknowledged := make([]int, 4)
		var wg sync.WaitGroup
		for g := range acknowledged {
			wg.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprint(round, " ", g, " ", i)
					if _, err := space.WriteAll(k.ctx, k.sp, []simple{{name, 1}, {name, 2}}, space.In(t)); err != nil {
						return // it has ended
					}
					acknowledged[g]++
				}
			})
		}
		for k.total() == 0 && count(k, simple{}, space.In(t)) < 2*round {
		}
		commit(k, space.TxnOf(k.sp, t.ID())) // so that the handle does not know
		wg.Wait()
		want := 0
		for _, n := range acknowledged {
			want += 2 * n
		}
		require.Len(k, drain(k, simple{}), want)
	}
}

func txnEndRaces(k *kit) {
	for round := range 20 {
		t := begin(k)
		write(k, simple{"A", round + 1}, space.In(t))
		results := make([]error, 6)
		var wg sync.WaitGroup
		for i := range results {
			other := space.TxnOf(k.sp, t.ID())
			wg.Go(func() {
				if i%2 == 0 {
					results[i] = other.Commit(k.ctx)
				} else {
					results[i] = other.Abort(k.ctx)
				}
			})
		}
		wg.Wait()
		ended, left := 0, 0
		for i, err := range results {
			if err == nil {
				ended++
				left = (i + 1) % 2
				continue
			}
			k.fails(space.ErrTxnEnded, err)
		}
		require.Equal(k, 1, ended)
		require.Len(k, drain(k, simple{}), left)
	}
}

func txnIdentity(k *kit) {
	seen := map[txn.ID]bool{}
	for range 10 {
		t := begin(k)
		require.False(k, seen[t.ID()])
		seen[t.ID()] = true
		id, err := txn.Parse(t.ID().String())
		k.ok(err)
		require.Equal(k, t.ID(), id)
		write(k, e1, space.In(space.TxnOf(k.sp, id)))
		require.Equal(k, e1, take(k, e1, space.In(t)))
		abort(k, t)
	}
	require.Zero(k, k.total())
}

func txnForeign(k *kit) {
	other := &kit{T: k.T, ctx: k.ctx, sp: k.open(k)}
	t := begin(other)
	write(k, e1)
	for _, call := range []func() error{
		func() error { _, err := space.Write(k.ctx, k.sp, e2, space.In(t)); return err },
		func() error { _, err := space.Take(k.ctx, k.sp, e1, space.In(t)); return err },
		func() error { _, err := space.Count(k.ctx, k.sp, e1, space.In(t)); return err },
	} {
		k.fails(space.ErrInvalidArgument, call())
	}
	require.Equal(k, 1, k.total())
	write(other, e1, space.In(t))
	commit(other, t)
	require.Equal(k, e1, take(other, e1))
}

func txnNested(k *kit) {
	t := begin(k)
	write(k, e1)
	q := k.match(e1)
	q.Begin, q.Txn = true, t.ID()
	_, err := k.sp.Take(k.ctx, q)
	k.fails(space.ErrInvalidArgument, err)
	require.ErrorContains(k, err, "nested")
	require.Equal(k, e1, take(k, e1, space.In(t)))
	commit(k, t)
}

func txnMany(k *kit) {
	const n = 300
	txns := make([]*space.Txn, n)
	for i := range txns {
		txns[i] = begin(k)
		write(k, simple{"A", i + 1}, space.In(txns[i]))
		write(k, simple{"B", i + 1})
		require.Equal(k, i+1, take(k, simple{Name: "B"}, space.In(txns[i])).ID)
	}
	require.Zero(k, k.total())
	for i, t := range txns {
		require.Equal(k, []simple{{"A", i + 1}}, collect(k, simple{Name: "A", ID: i + 1}, space.In(t)))
		require.Equal(k, 1, count(k, simple{}, space.In(txns[n-1])))
	}
	for i, t := range txns {
		if i%3 == 0 {
			abort(k, t)
		} else {
			commit(k, t)
		}
	}
	require.Equal(k, n*2/3, count(k, simple{Name: "A"}))
	require.Equal(k, n/3, count(k, simple{Name: "B"}))
}

func txnOptions(k *kit) {
	t := begin(k)
	_, err := space.Begin(k.ctx, k.sp, space.For(-1))
	k.fails(space.ErrInvalidArgument, err)
	for _, call := range []func() error{
		func() error { _, err := space.Write(k.ctx, k.sp, e1, space.In(nil)); return err },
		func() error { _, err := k.sp.Begin(k.ctx, -1); return err },
		func() error { return k.sp.Defer(k.ctx, t.ID(), write(k, e1).ID(), -1) },
		func() error { return space.Stage(k.ctx, t, e1, space.For(-1)) },
	} {
		k.fails(space.ErrInvalidArgument, call())
	}
	q := k.match()
	q.Begin, q.Lease, q.Txn = true, long, t.ID()
	_, err = k.sp.Take(k.ctx, q)
	k.fails(space.ErrInvalidArgument, err)
	q.Txn = noTxn
	_, err = k.sp.Read(k.ctx, q)
	k.fails(space.ErrInvalidArgument, err)
	q.Lease = -1
	_, err = k.sp.Take(k.ctx, q)
	k.fails(space.ErrInvalidArgument, err)
	commit(k, t)
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}
