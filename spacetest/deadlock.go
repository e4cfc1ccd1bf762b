package spacetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func deadlockCases() cases {
	return cases{
		{"two that read an entry and take it: the youngest gives way", deadlockPromotion},           // semantics 5.4
		{"two that take each other's entries: the youngest gives way", deadlockCrossed},             // semantics 5.4
		{"three in a circle: the youngest gives way, the others go on", deadlockThree},              // semantics 5.4
		{"three that read an entry and take it: all but the oldest give way", deadlockThreeReaders}, // semantics 5.4
		{"the youngest gives way, whichever closes the cycle", deadlockOrder},                       // semantics 5.4
		{"calls with a wait, and IfExists, are victims too", deadlockVerbs},
		{"all waiting calls of the victim end", deadlockAllCalls},
		{"what the victim did is undone", deadlockUndone},
		{"those outside of the circle are not concerned", deadlockOutside},
		{"waiting for one that can go on is no deadlock", deadlockNone},
		{"waiting for what may still be written is no deadlock", deadlockFreeMatch},
		{"a circle that the end of a wait leaves over is a deadlock at once", deadlockLeft}, // semantics 5.4
		{"calls without a transaction are no part of a circle", deadlockNobody},
		{"transactions that take at random all get through, again and again", deadlockRandom},
	}
}

// oldestFirst begins transactions, the oldest first, each with a read lock or a take lock on an entry of its own if own
// is not nil.
func oldestFirst(k *kit, n int, own func(*kit, simple, ...space.TakeOption) simple) []*space.Txn {
	k.Helper()
	txns := make([]*space.Txn, n)
	for i := range txns {
		txns[i] = begin(k)
		if own != nil {
			v := simple{"own", i + 1}
			write(k, v)
			own(k, v, space.In(txns[i]))
		}
	}
	return txns
}

// locking are the ways to lock an entry of one's own.
var locking = []func(*kit, simple, ...space.TakeOption) simple{read[simple], take[simple]}

// startTake starts a take under a transaction that has to wait.
func startTake(k *kit, t *space.Txn, v simple, opts ...space.TakeOption) *pending[simple] {
	return startFind(k, verbs[2], v, append(opts, space.In(t))...)
}

// victim checks that a call ended because its transaction was aborted to break a deadlock.
func victim(k *kit, t *space.Txn, calls ...*pending[simple]) {
	k.Helper()
	for _, p := range calls {
		_, err := p.wait()
		k.fails(space.ErrDeadlock, err)
		require.NotErrorIs(k, err, space.ErrNoMatch)
	}
	if !k.isGuest() { // the other space, where t began, does not tell of an end that the call has told
		lost := make(chan error, 1)
		t.OnLoss(func(why error) { lost <- why })
		why := <-lost
		k.fails(space.ErrTxnEnded, why)
		k.fails(space.ErrDeadlock, why)
	}
	_, err := space.Read(k.ctx, k.sp, simple{}, space.In(t), space.NoWait())
	k.fails(space.ErrTxnEnded, err)
	require.NotErrorIs(k, err, space.ErrDeadlock)
	k.fails(space.ErrTxnEnded, t.Commit(k.ctx))
	k.fails(space.ErrTxnEnded, t.Abort(k.ctx))
}

func deadlockPromotion(k *kit) {
	k.needOnePartition()
	write(k, e1)
	ts := oldestFirst(k, 2, nil)
	for _, t := range ts {
		read(k, e1, space.In(t))
	}
	older := startTake(k, ts[0], e1)
	k.parked(1)
	younger := startTake(k, ts[1], e1)
	victim(k, ts[1], younger)
	require.Equal(k, e1, older.result(k))
	commit(k, ts[0])
	absent(k, e1)
}

func deadlockCrossed(k *kit) {
	k.needOnePartition()
	for _, lock := range locking {
		ts := oldestFirst(k, 2, lock)
		older := startTake(k, ts[0], simple{"own", 2})
		k.parked(1)
		younger := startTake(k, ts[1], simple{"own", 1})
		victim(k, ts[1], younger)
		require.Equal(k, simple{"own", 2}, older.result(k))
		commit(k, ts[0])
		drain(k, simple{})
	}
}

func deadlockThree(k *kit) {
	k.needOnePartition()
	for _, lock := range locking {
		ts := oldestFirst(k, 3, lock)
		var calls []*pending[simple]
		for i, t := range ts {
			calls = append(calls, startTake(k, t, simple{"own", (i+1)%3 + 1}))
			if i < 2 {
				k.parked(i + 1)
			}
		}
		victim(k, ts[2], calls[2])
		require.Equal(k, simple{"own", 3}, calls[1].result(k))
		k.parked(1)
		abort(k, ts[1])
		require.Equal(k, simple{"own", 2}, calls[0].result(k))
		abort(k, ts[0])
		require.Equal(k, []simple{{"own", 1}, {"own", 2}, {"own", 3}}, drain(k, simple{}))
	}
}

func deadlockThreeReaders(k *kit) {
	k.needOnePartition()
	write(k, e1)
	ts := oldestFirst(k, 3, nil)
	var calls []*pending[simple]
	for _, t := range ts {
		read(k, e1, space.In(t))
	}
	for _, t := range ts {
		calls = append(calls, startTake(k, t, e1))
	}
	victim(k, ts[2], calls[2])
	victim(k, ts[1], calls[1])
	require.Equal(k, e1, calls[0].result(k))
	abort(k, ts[0])
	require.Equal(k, e1, take(k, e1))
}

func deadlockOrder(k *kit) {
	k.needOnePartition()
	for _, first := range []int{0, 1} {
		ts := oldestFirst(k, 2, take[simple])
		calls := make([]*pending[simple], 2)
		calls[first] = startTake(k, ts[first], simple{"own", 2 - first})
		k.needParked(1)
		calls[1-first] = startTake(k, ts[1-first], simple{"own", 1 + first})
		victim(k, ts[1], calls[1])
		require.Equal(k, simple{"own", 2}, calls[0].result(k))
		abort(k, ts[0])
		require.Len(k, drain(k, simple{}), 2)
	}
}

func deadlockVerbs(k *kit) {
	k.needOnePartition()
	for _, v := range verbs {
		for _, opts := range [][]space.TakeOption{nil, {space.Wait(long)}} {
			ts := oldestFirst(k, 2, take[simple])
			older := startFind(k, v, simple{"own", 2}, append(opts, space.In(ts[0]))...)
			k.parked(1)
			younger := startFind(k, v, simple{"own", 1}, append(opts, space.In(ts[1]))...)
			victim(k, ts[1], younger)
			require.Equal(k, simple{"own", 2}, older.result(k))
			abort(k, ts[0])
			require.Len(k, drain(k, simple{}), 2)
		}
	}
}

func deadlockAllCalls(k *kit) {
	k.needOnePartition()
	ts := oldestFirst(k, 2, take[simple])
	a, b := startTake(k, ts[1], simple{"own", 1}), startFind(k, verbs[0], simple{"own", 1}, space.In(ts[1]))
	k.needParked(2)
	older := startTake(k, ts[0], simple{"own", 2})
	victim(k, ts[1], a, b)
	require.Equal(k, simple{"own", 2}, older.result(k))
}

func deadlockUndone(k *kit) {
	k.needOnePartition()
	population(k)
	ts := oldestFirst(k, 2, take[simple])
	taken := takeUpTo(k, 3, simple{Name: "A"}, space.In(ts[1]))
	write(k, simple{"A", 77}, space.In(ts[1]))
	older := startTake(k, ts[0], simple{"own", 2})
	k.parked(1)
	younger := startTake(k, ts[1], simple{"own", 1})
	victim(k, ts[1], younger)
	older.result(k)
	require.Equal(k, taken, readUpTo(k, 3, simple{Name: "A"}))
	absent(k, simple{ID: 77})
	commit(k, ts[0])
	require.Equal(k, []simple{e1, e2, e3, e1, e2, e3}, drain(k, simple{}))
}

func deadlockOutside(k *kit) {
	k.needOnePartition()
	ts := oldestFirst(k, 4, take[simple])
	waitsForOlder, waitsForNobody := startTake(k, ts[3], simple{"own", 1}), startTake(k, ts[2], simple{"own", 9})
	k.needParked(2)
	older := startTake(k, ts[0], simple{"own", 2})
	k.needParked(3)
	younger := startTake(k, ts[1], simple{"own", 1})
	victim(k, ts[1], younger) // though another that waits is younger still
	require.Equal(k, simple{"own", 2}, older.result(k))
	abort(k, ts[0])
	require.Equal(k, simple{"own", 1}, waitsForOlder.result(k))
	write(k, simple{"own", 9})
	require.Equal(k, simple{"own", 9}, waitsForNobody.result(k))
	commit(k, ts[2])
	commit(k, ts[3])
}

func deadlockNone(k *kit) {
	k.needOnePartition()
	ts := oldestFirst(k, 3, take[simple])
	second := startTake(k, ts[1], simple{"own", 1})
	k.parked(1)
	third := startTake(k, ts[2], simple{"own", 2})
	k.parked(2)
	write(k, e1, space.In(ts[0])) // it still works
	abort(k, ts[0])
	require.Equal(k, simple{"own", 1}, second.result(k))
	k.parked(1)
	abort(k, ts[1])
	require.Equal(k, simple{"own", 2}, third.result(k))
	commit(k, ts[2])
	require.Equal(k, []simple{{"own", 1}}, drain(k, simple{}))
}

// deadlockFreeMatch: the circle is none, for one of the two waits for any entry of the name, and there may be one soon.
func deadlockFreeMatch(k *kit) {
	k.needOnePartition()
	ts := oldestFirst(k, 2, take[simple])
	older := startTake(k, ts[0], simple{"own", 2})
	k.needParked(1)
	younger := startTake(k, ts[1], simple{"other", 1})
	k.needParked(2)
	write(k, simple{"other", 1})
	require.Equal(k, simple{"other", 1}, younger.result(k))
	commit(k, ts[1])
	k.parked(1)
	write(k, simple{"own", 2})
	require.Equal(k, simple{"own", 2}, older.result(k))
	commit(k, ts[0])
}

// deadlockLeft: the younger waits for something else, too, until it does not any more. Nothing else happens then.
func deadlockLeft(k *kit) {
	k.needOnePartition()
	for _, opts := range [][]space.TakeOption{nil, {space.Wait(5 * brief)}} {
		ts := oldestFirst(k, 2, take[simple])
		younger := startTake(k, ts[1], simple{"own", 1})
		k.needParked(1)
		hopes := startTake(k, ts[1], simple{"other", 1}, opts...)
		if opts == nil {
			k.needParked(2)
		}
		older := startTake(k, ts[0], simple{"own", 2}) // a deadlock at once if hopes has ended, or has not begun
		if opts == nil {
			k.needParked(3)
			hopes.cancel()
		}
		victim(k, ts[1], younger)
		require.Equal(k, simple{"own", 2}, older.result(k))
		commit(k, ts[0])
		drain(k, simple{})
	}
}

func deadlockNobody(k *kit) {
	k.needOnePartition()
	ts := oldestFirst(k, 2, read[simple])
	without := startFind(k, verbs[2], simple{"own", 1})
	k.parked(1)
	older := startTake(k, ts[0], simple{"own", 2})
	k.parked(2)
	read(k, simple{"own", 2}, space.In(ts[1]))
	commit(k, ts[1])
	require.Equal(k, simple{"own", 2}, older.result(k))
	commit(k, ts[0])
	require.Equal(k, simple{"own", 1}, without.result(k))
}

// deadlockRandom moves numbers between entries under transactions that take them in any order, and try again when they
// are victims.
func deadlockRandom(k *kit) {
	k.needOnePartition()
	const accounts, workers, transfers = 4, 6, 15
	for i := range accounts {
		write(k, simple{"account", 100 * (i + 1)}) // the last two digits are its load
	}
	var wg sync.WaitGroup
	for w := range workers {
		rng := rand.New(rand.NewPCG(7, uint64(w)))
		wg.Go(func() {
			for n := 0; n < transfers; {
				err := transfer(k.ctx, k.sp, rng.Perm(accounts))
				switch {
				case err == nil:
					n++
				case !errors.Is(err, space.ErrDeadlock) && !errors.Is(err, space.ErrTxnEnded):
					k.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, v := range drain(k, simple{}) {
		sum += v.ID
	}
	require.Equal(k, 100*accounts*(accounts+1)/2, sum)
}

// transfer takes two accounts, one after the other, and writes them back with one more and one less.
func transfer(ctx context.Context, sp space.Space, order []int) error {
	t, err := space.Begin(ctx, sp)
	if err != nil {
		return err
	}
	defer t.Abort(context.WithoutCancel(ctx)) // which fails after the commit
	for i, change := range []int{1, -1} {
		low := 100*(order[i]+1) - 50
		v, err := space.Take(ctx, sp, simple{Name: "account"}, space.Where("id", space.Between(low, low+99)), space.In(t))
		if err != nil {
			return err
		}
		v.ID += change
		if err := space.Stage(ctx, t, v); err != nil {
			return err
		}
	}
	return t.Commit(ctx)
}
