package spacetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

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
		{"no call sees half of a commit", txnAtomic},                                              // semantics 5.1
		{"what a transaction writes and takes again is gone for good", txnTakesOwn},               // semantics 5
		{"reading and then taking an entry, and not keeping to it", txnReadTake},                  // semantics 5.5
		{"writes of every sort work as they do without a transaction", txnWrites},                 // W-07, W-08, L-05
		{"a write that is refused leaves the transaction as it was", txnWriteRefused},             // W-09
		{"reads find what they find without a transaction", txnReads},
		{"takes take what they take without a transaction", txnTakeMatrix},                        // T-07
		{"a transaction empties the space and fills it again", txnRewrites},                       // T-07
		{"an entry that the type cannot hold stays if the take is aborted", txnUnusable},          // semantics 1.7
		{"prepared templates are used under transactions", txnPrepared},                           // S-02, S-05
	}
}

// noTxn is the transaction of calls that are made under none.
var noTxn txn.ID

// begin begins a transaction, which is aborted at the end of the test if it is still open. Its lease is an hour unless
// opts say otherwise, so that it outlasts a slow machine.
func begin(k *kit, opts ...space.LeaseOption) *space.Txn {
	k.Helper()
	opts = append([]space.LeaseOption{space.For(time.Hour)}, opts...)
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
	k.needOnePartition()
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
	for _, opts := range [][]space.WriteOption{
		{space.In(t)},
		{space.In(t), space.For(space.Forever)},
		{space.For(long), space.In(t)},
	} {
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
			ds[0].Kind = "never registered"
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
