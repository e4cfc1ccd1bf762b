package spacetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

func txnCases() cases {
	return cases{
		{"a transaction sees what it wrote, others see it once it is committed", txnOwnWrites},    // semantics 5.1, W-07
		{"what an aborted transaction wrote was never there", txnAbortedWrites},                   // semantics 5.1
		{"what a transaction took is gone once it is committed, and back if it is not", txnTakes}, // semantics 5.1
		{"takes and writes of several kinds take effect together", txnKinds},                      // semantics 5.3
		{"nobody sees half of a commit", txnAtomic},                                               // semantics 5.1
		{"what a transaction writes and takes again is gone for good", txnTakesOwn},               // semantics 5
		{"reading and then taking an entry, and not keeping to it", txnReadTake},                  // semantics 5.5
		{"writes of every sort work as they do without a transaction", txnWrites},                 // W-07, W-08, L-05
		{"a write that is refused leaves the transaction as it was", txnWriteRefused},             // W-09
		{"reads find what they find without a transaction", txnReads},
		{"takes take what they take without a transaction", txnTakeMatrix},                        // T-07
		{"a transaction empties the space and fills it again", txnRewrites},                       // T-07
		{"any use of an ended transaction is refused and changes nothing", txnEnded},              // semantics 5.2, W-10, B-05, B-18
		{"an ended transaction stays refused whoever ended it, and however", txnEndedElsewhere},   // semantics 5.2
		{"a transaction that nobody began has ended", txnUnknown},
		{"a transaction that did nothing can be committed, and aborted", txnEmpty},
		{"a transaction is used by many at once", txnGoroutines}, // semantics 5.2
		{"a commit while calls are under way takes all of a call or nothing", txnCommitRaces},
		{"of many who end a transaction one does", txnEndRaces},
		{"transactions are told apart by their identities, which can be sent", txnIdentity},
		{"a transaction of another space is refused", txnForeign},
		{"transactions cannot be nested", txnNested}, // semantics 5.7
		{"many transactions are open at once", txnMany},
		{"an entry that the type cannot hold stays if the take is aborted", txnUnusable}, // semantics 1.7
		{"prepared templates are used under transactions", txnPrepared},                  // S-02, S-05
		{"options that make no sense are refused", txnOptions},
	}
}

// noTxn is the transaction of calls that are made under none.
var noTxn txn.ID

// begin begins a transaction, which is aborted with the test if it is still open then.
func begin(k *kit, opts ...space.Option) *space.Txn {
	k.Helper()
	t, err := space.Begin(k.ctx, k.sp, opts...)
	k.ok(err)
	k.Cleanup(func() { _ = t.Abort(context.Background()) })
	return t
}

func commit(k *kit, t *space.Txn) {
	k.Helper()
	k.ok(t.Commit(k.ctx))
}

func abort(k *kit, t *space.Txn) {
	k.Helper()
	k.ok(t.Abort(k.ctx))
}

func txnOwnWrites(k *kit) {
	t := begin(k)
	write(k, e1, space.In(t))
	require.Equal(k, e1, read(k, e1, space.In(t)))
	require.Equal(k, 1, count(k, simple{}, space.In(t)))
	absent(k, simple{})
	other := begin(k)
	absent(k, simple{}, space.In(other))
	commit(k, t)
	require.Equal(k, e1, read(k, e1))
	require.Equal(k, e1, take(k, e1, space.In(other)))
	commit(k, other)
	absent(k, simple{})
}

func txnAbortedWrites(k *kit) {
	t := begin(k)
	write(k, e1, space.In(t))
	_, err := space.WriteAll(k.ctx, k.sp, []simple{e2, e3}, space.In(t))
	k.ok(err)
	require.Len(k, collect(k, simple{}, space.In(t)), 3)
	abort(k, t)
	absent(k, simple{})
	require.Zero(k, k.total())
}

func txnTakes(k *kit) {
	writeAll(k, e1, e2)
	t := begin(k)
	require.Equal(k, e1, take(k, simple{}, space.In(t)))
	absent(k, e1, space.In(t))
	absent(k, e1)
	require.Equal(k, e2, read(k, simple{}))
	abort(k, t)
	require.Equal(k, e1, read(k, simple{}))

	t = begin(k)
	take(k, e1, space.In(t))
	commit(k, t)
	absent(k, e1)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func txnKinds(k *kit) {
	for _, end := range []func(*kit, *space.Txn){abort, commit} {
		write(k, e1)
		write(k, sample())
		write(k, aVan)
		t := begin(k)
		take(k, simple{}, space.In(t))
		take(k, every{}, space.In(t))
		write(k, aCar, space.In(t))
		write(k, aBike, space.In(t))
		require.Equal(k, aVan.vehicle, take(k, vehicle{}, space.In(t)))
		require.Equal(k, 2, count(k, vehicle{}, space.In(t)))
		require.Zero(k, k.total())
		end(k, t)
		if k.total() == 3 {
			require.Equal(k, e1, take(k, simple{}))
			require.Equal(k, sample(), take(k, every{}))
			require.Equal(k, aVan, take(k, van{}))
		}
	}
	require.Equal(k, []vehicle{aCar.vehicle, aBike.vehicle}, drain(k, vehicle{}))
	require.Zero(k, k.total())
}

// txnAtomic moves tokens between two kinds while others count them.
func txnAtomic(k *kit) {
	const tokens, moves, movers = 10, 40, 3
	for i := range tokens {
		write(k, simple{"token", i + 1})
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range movers {
		wg.Go(func() {
			for range moves {
				if err := moveToken(k.ctx, k.sp); err != nil {
					k.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	q := k.match(simple{}, twin{})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		n, err := k.sp.Count(k.ctx, q)
		k.ok(err)
		require.LessOrEqual(k, n, tokens)
		require.GreaterOrEqual(k, n, tokens-movers) // those that are taken at this moment
	}
	require.Equal(k, tokens, k.total())
}

// moveToken takes a token of one kind and writes it as one of the other, under a transaction.
func moveToken(ctx context.Context, sp space.Space) error {
	t, err := space.Begin(ctx, sp)
	if err != nil {
		return err
	}
	defer t.Abort(context.WithoutCancel(ctx)) // which fails after the commit
	if v, err := space.Take(ctx, sp, simple{Name: "token"}, space.In(t), space.NoWait()); err == nil {
		if _, err = space.Write(ctx, sp, twin(v), space.In(t)); err != nil {
			return err
		}
		return t.Commit(ctx)
	}
	v, err := space.Take(ctx, sp, twin{Name: "token"}, space.In(t))
	if err != nil {
		return err
	}
	if _, err = space.Write(ctx, sp, simple(v), space.In(t)); err != nil {
		return err
	}
	return t.Commit(ctx)
}

func txnTakesOwn(k *kit) {
	for _, end := range []func(*kit, *space.Txn){abort, commit} {
		reg := notify(k, simple{})
		t := begin(k)
		writeAllIn(k, t, e1, e2)
		require.Equal(k, e1, take(k, simple{}, space.In(t)))
		absent(k, e1, space.In(t))
		require.Equal(k, e2, take(k, e2, space.In(t)))
		end(k, t)
		absent(k, simple{})
		write(k, mark)
		require.Empty(k, untilMark(k, reg)) // semantics 7.1
		take(k, mark)
	}
}

// writeAllIn writes a list under a transaction.
func writeAllIn[T any](k *kit, t *space.Txn, vs ...T) []*space.Lease {
	k.Helper()
	ls, err := space.WriteAll(k.ctx, k.sp, vs, space.In(t))
	k.ok(err)
	return ls
}

func txnReadTake(k *kit) {
	write(k, e1)
	for _, v := range verbs[:2] {
		t := begin(k)
		got, err := find[simple](v)(k.ctx, k.sp, e1, space.In(t))
		k.ok(err)
		require.Equal(k, e1, got)
		require.Equal(k, e1, take(k, e1, space.In(t)))
		absent(k, e1, space.In(t))
		abort(k, t)
		require.Equal(k, e1, read(k, e1))
	}
	t := begin(k)
	read(k, e1, space.In(t))
	take(k, e1, space.In(t))
	commit(k, t)
	absent(k, e1)
}

func txnWrites(k *kit) {
	t := begin(k)
	before := e1
	seen := map[space.LeaseID]bool{}
	for _, opts := range [][]space.Option{{space.In(t)}, {space.In(t), space.For(space.Forever)}, {space.For(long), space.In(t)}} {
		l := write(k, before, opts...)
		require.Positive(k, l.Granted())
		require.False(k, seen[l.ID()])
		seen[l.ID()] = true
		if len(opts) == 2 && l.Granted() != space.Forever {
			require.LessOrEqual(k, l.Granted(), long)
		}
	}
	require.Equal(k, e1, before)
	deep := sample()
	write(k, deep, space.In(t))
	deep.Bytes[0], deep.Strings[0], deep.Map["a"] = 9, "changed", 9
	require.Equal(k, sample(), read(k, every{}, space.In(t)))
	require.Equal(k, 3, count(k, e1, space.In(t)))
	require.Equal(k, e1, take(k, e1, space.In(t)))
	require.Equal(k, e1, take(k, e1, space.In(t)))
	require.Equal(k, 1, count(k, e1, space.In(t)))
	zero := write(k, e2, space.In(t), space.For(0))
	require.Zero(k, zero.Granted())
	absent(k, e2, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e1}, drain(k, simple{}))
	require.Equal(k, sample(), take(k, every{}))
}

func txnWriteRefused(k *kit) {
	t := begin(k)
	write(k, e1, space.In(t))
	for name, call := range map[string]func() error{
		"negative lease": func() error { _, err := space.Write(k.ctx, k.sp, e2, space.In(t), space.For(-199)); return err },
		"in a list": func() error {
			ds := k.drafts(e2, e3)
			ds[1].Lease = -1
			_, err := k.sp.Write(k.ctx, t.ID(), ds)
			return err
		},
		"an empty list": func() error { _, err := space.WriteAll(k.ctx, k.sp, []simple{}, space.In(t)); return err },
		"unknown kind": func() error {
			ds := k.drafts(e2, e3)
			ds[0].Kind = "nobody registered this"
			_, err := k.sp.Write(k.ctx, t.ID(), ds)
			return err
		},
	} {
		require.ErrorIs(k, call(), space.ErrInvalidArgument, name)
		require.Equal(k, []simple{e1}, collect(k, simple{}, space.In(t)), name)
	}
	_, err := space.WriteAll(k.ctx, k.sp, []simple{e2, {strings.Repeat("x", tooMuch), 3}}, space.In(t))
	k.fails(space.ErrTooLarge, err)
	require.Equal(k, 1, count(k, simple{}, space.In(t)))
	commit(k, t)
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}

func txnReads(k *kit) {
	population(k)
	t := begin(k)
	for _, s := range shapes {
		for _, v := range verbs[:2] {
			q := s.query(k)
			q.Txn, q.Max = t.ID(), 10
			got, err := k.find(v, q)
			if len(s.matches) == 0 {
				require.ErrorIs(k, err, space.ErrNoMatch, s.name)
				continue
			}
			require.NoError(k, err, s.name)
			require.Equal(k, slices.Concat(s.matches, s.matches), decode(k, got), s.name)
		}
	}
	_, err := space.ReadIfExists(k.ctx, k.sp, simple{Name: "Z"}, space.In(t), space.Wait(long))
	k.fails(space.ErrNoMatch, err)
	require.Equal(k, e1, read(k, simple{}))
	commit(k, t)
	require.Len(k, drain(k, simple{}), 6)
}

func txnTakeMatrix(k *kit) {
	population(k)
	for _, s := range shapes {
		for _, v := range verbs[2:] {
			t := begin(k)
			q := s.query(k)
			q.Txn = t.ID()
			want := slices.Concat(s.matches, s.matches)
			for _, e := range want {
				got, err := k.find(v, q)
				require.NoError(k, err, s.name)
				require.Equal(k, e, decode(k, got)[0], s.name)
			}
			_, err := k.find(v, q)
			require.ErrorIs(k, err, space.ErrNoMatch, s.name)
			require.Equal(k, 6-len(want), count(k, simple{}, space.In(t)), s.name)
			require.Equal(k, 6-len(want), k.total(), s.name)
			abort(k, t)
			require.Equal(k, []simple{e1, e2, e3, e1, e2, e3}, readUpTo(k, 10, simple{}), s.name)
		}
	}
}

func txnRewrites(k *kit) {
	population(k)
	t := begin(k)
	require.Len(k, drain(k, simple{}, space.In(t)), 6)
	absent(k, simple{}, space.In(t))
	writeAllIn(k, t, e3, e1)
	require.Equal(k, []simple{e3, e1}, readUpTo(k, 10, simple{}, space.In(t)))
	require.Equal(k, e3, take(k, simple{}, space.In(t)))
	absent(k, simple{})
	commit(k, t)
	require.Equal(k, []simple{e1}, drain(k, simple{}))
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

// txnCommitRaces commits while others still write pairs under the transaction: what is there afterwards is what was acknowledged.
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
	_, err := space.Begin(k.ctx, k.sp, space.In(t))
	k.fails(space.ErrInvalidArgument, err)
	require.ErrorContains(k, err, "nested")
	write(k, e1)
	_, _, err = space.TakeTxn(k.ctx, k.sp, e1, space.In(t))
	k.fails(space.ErrInvalidArgument, err)
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

func txnUnusable(k *kit) {
	for _, v := range verbs {
		write(k, wide{300})
		t := begin(k)
		_, err := find[narrow](v)(k.ctx, k.sp, narrow{}, space.In(t))
		var unusable *space.UnusableEntryError
		require.ErrorAs(k, err, &unusable)
		require.Equal(k, map[string]any{"id": int64(300)}, unusable.Fields)
		abort(k, t)
		require.Equal(k, wide{300}, read(k, wide{}))

		t = begin(k)
		_, err = find[narrow](v)(k.ctx, k.sp, narrow{}, space.In(t))
		require.ErrorAs(k, err, &unusable)
		commit(k, t)
		require.Equal(k, map[bool]int{true: 0, false: 1}[v.take], len(drain(k, wide{})), v.name)
	}
	writeAll(k, wide{1}, wide{300}, wide{2})
	t := begin(k)
	got, err := space.TakeAll(k.ctx, k.sp, narrow{}, 10, space.In(t))
	var unusable *space.UnusableEntryError
	require.ErrorAs(k, err, &unusable)
	require.Equal(k, []narrow{{1}, {2}}, got)
	abort(k, t)
	require.Equal(k, []wide{{1}, {300}, {2}}, drain(k, wide{}))
}

func txnPrepared(k *kit) {
	p := prepare(k, e1, space.NoWait())
	t := begin(k)
	_, err := p.Write(k.ctx, space.In(t))
	k.ok(err)
	write(k, e1, space.In(t))
	n, err := p.Count(k.ctx, space.In(t))
	k.ok(err)
	require.Equal(k, 2, n)
	_, err = p.Read(k.ctx)
	k.fails(space.ErrNoMatch, err)
	commit(k, t)

	a, b := begin(k), begin(k)
	_, err = p.Read(k.ctx, space.In(a)) // locks the first of the two
	k.ok(err)
	for range 2 {
		got, err := p.Read(k.ctx, space.In(b))
		k.ok(err)
		require.Equal(k, e1, got)
	}
	require.Equal(k, e1, take(k, e1, space.In(b))) // the second
	absent(k, e1, space.In(b), space.Where("id", space.Gt(1)))
	_, err = space.Take(k.ctx, k.sp, e1, space.In(b), space.NoWait())
	k.fails(space.ErrNoMatch, err)
	_, err = p.Take(k.ctx)
	k.fails(space.ErrNoMatch, err)
	abort(k, a)
	got, err := p.Take(k.ctx, space.In(b))
	k.ok(err)
	require.Equal(k, e1, got)
	commit(k, b)
	require.Zero(k, k.total())
}

func txnOptions(k *kit) {
	t := begin(k)
	for _, o := range []space.Option{space.NoWait(), space.Where("id", space.Gt(1)), space.Max(1), space.For(-1), space.Delay(1)} {
		_, err := space.Begin(k.ctx, k.sp, o)
		k.fails(space.ErrInvalidArgument, err)
	}
	for _, call := range []func() error{
		func() error { _, err := space.Write(k.ctx, k.sp, e1, space.In(nil)); return err },
		func() error { _, err := k.sp.Begin(k.ctx, -1); return err },
		func() error { return k.sp.Defer(k.ctx, t.ID(), write(k, e1).ID(), -1) },
		func() error { return space.Stage(k.ctx, t, e1, space.NoWait()) },
		func() error { return space.Stage(k.ctx, t, e1, space.For(-1)) },
	} {
		k.fails(space.ErrInvalidArgument, call())
	}
	q := k.match()
	q.Begin, q.Lease, q.Txn = true, long, t.ID()
	_, err := k.sp.Take(k.ctx, q)
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
