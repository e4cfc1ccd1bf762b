package space_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/txn"
)

func begin(t *testing.T, sp space.Space, opts ...space.LeaseOption) *space.Txn {
	t.Helper()
	tx, err := space.Begin(t.Context(), sp, opts...)
	require.NoError(t, err)
	return tx
}

func TestTxn_EverythingOrNothing(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1}, Task{ID: 2})
	for _, commit := range []bool{false, true} {
		tx := begin(t, sp)
		in := space.In(tx)
		task, err := space.Take(ctx, sp, Task{}, in)
		require.NoError(t, err)
		require.Equal(t, 1, task.ID, "an aborted take puts back in the old place")
		_, err = space.Write(ctx, sp, Task{ID: 3}, in)
		require.NoError(t, err)
		require.NoError(t, space.Stage(ctx, tx, Task{ID: 4}))
		require.Equal(t, 2, count(t, sp, Task{}, in), "2 and 3: nothing staged is there before the commit")
		require.Equal(t, 1, count(t, sp, Task{}))
		if !commit {
			require.NoError(t, tx.Abort(ctx))
			require.Equal(t, 2, count(t, sp, Task{}))
			continue
		}
		require.NoError(t, tx.Commit(ctx))
		var ids []int
		for task, err := range space.Contents(ctx, sp, Task{}) {
			require.NoError(t, err)
			ids = append(ids, task.ID)
		}
		require.ElementsMatch(t, []int{2, 3, 4}, ids)
	}
}

func TestTxn_EveryCallIsMadeUnderIt(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	tx := begin(t, sp)
	in := space.In(tx)
	leases, err := space.WriteAll(ctx, sp, []Task{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4}, {ID: 5}}, in)
	require.NoError(t, err)
	prepared, err := space.Prepare(ctx, sp, Task{ID: 6}, in)
	require.NoError(t, err)
	_, err = prepared.Write(ctx, in)
	require.NoError(t, err)
	require.Zero(t, count(t, sp, Task{}), "others see nothing of it")

	_, err = space.Read(ctx, sp, Task{ID: 1}, in)
	require.NoError(t, err)
	_, err = space.ReadIfExists(ctx, sp, Task{ID: 1}, in)
	require.NoError(t, err)
	_, err = space.TakeIfExists(ctx, sp, Task{ID: 1}, in)
	require.NoError(t, err)
	all, err := space.ReadAll(ctx, sp, Task{}, 10, in)
	require.NoError(t, err)
	require.Len(t, all, 5)
	all, err = space.TakeAll(ctx, sp, Task{ID: 2}, 10, in)
	require.NoError(t, err)
	require.Len(t, all, 1)
	n := 0
	for _, err := range space.Contents(ctx, sp, Task{}, in) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 4, n)
	_, err = space.ReadID[Task](ctx, sp, leases[2].ID(), in)
	require.NoError(t, err)
	_, err = space.TakeID[Task](ctx, sp, leases[2].ID(), in)
	require.NoError(t, err)
	_, err = space.Replace(ctx, sp, leases[3].ID(), 1, Task{ID: 40}, in)
	require.NoError(t, err)
	_, err = space.Update(ctx, sp, Task{ID: 5}, func(task *Task) error { task.ID = 50; return nil }, in)
	require.NoError(t, err)
	sum, err := space.Add(ctx, sp, Task{ID: 50}, "priority", 7, in)
	require.NoError(t, err)
	require.EqualValues(t, 7, sum)
	n, err = prepared.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n, "a template may be prepared under a transaction")
	_, err = prepared.Read(ctx)
	require.NoError(t, err)

	require.NoError(t, tx.Commit(ctx))
	all, err = space.TakeAll(ctx, sp, Task{}, 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []Task{{ID: 40}, {ID: 50, Priority: 7}, {ID: 6}}, all)
	_, err = prepared.Read(ctx)
	require.ErrorIs(t, err, space.ErrTxnEnded)
}

func TestTxn_PreparedTemplatesTakePartInOthers(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	p, err := space.Prepare(ctx, sp, Task{})
	require.NoError(t, err)
	tx := begin(t, sp)
	_, err = p.Take(ctx, space.In(tx))
	require.NoError(t, err)
	n, err := p.Count(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, tx.Abort(ctx))
	n, err = p.Count(ctx, space.In(begin(t, sp)))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestTxn_ItsEndIsTheEnd(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	for name, end := range map[string]func(*space.Txn) error{
		"commit": func(tx *space.Txn) error { return tx.Commit(ctx) },
		"abort":  func(tx *space.Txn) error { return tx.Abort(ctx) },
		"cancel": func(tx *space.Txn) error { return tx.Lease().Cancel(ctx) },
		"other":  func(tx *space.Txn) error { return space.TxnOf(sp, tx.ID()).Commit(ctx) },
	} {
		tx := begin(t, sp)
		require.NoError(t, end(tx), name)
		for call, err := range uses(ctx, sp, tx) {
			require.ErrorIs(t, err, space.ErrTxnEnded, "%s after %s", call, name)
		}
		_, err := tx.Lease().Renew(ctx, time.Minute)
		require.ErrorIs(t, err, space.ErrLeaseEnded, name)
	}
	require.Zero(t, count(t, sp, Task{}))
}

// uses uses a transaction in every way and returns what came of it.
func uses(ctx context.Context, sp space.Space, tx *space.Txn) map[string]error {
	in := space.In(tx)
	errs := map[string]error{}
	_, errs["write"] = space.Write(ctx, sp, Task{}, in)
	_, errs["write all"] = space.WriteAll(ctx, sp, []Task{{}, {}}, in)
	_, errs["read"] = space.Read(ctx, sp, Task{}, in)
	_, errs["take"] = space.Take(ctx, sp, Task{}, in, space.NoWait())
	_, errs["take of a kind that was never written"] = space.Take(ctx, sp, Order{}, in, space.NoWait())
	_, errs["count"] = space.Count(ctx, sp, Task{}, in)
	_, errs["update"] = space.Update(ctx, sp, Task{}, func(*Task) error { return nil }, in)
	_, errs["replace"] = space.Replace(ctx, sp, 1, 0, Task{}, in)
	_, errs["by id"] = space.ReadID[Task](ctx, sp, 1, in)
	_, errs["notify"] = space.Notify(ctx, sp, Task{}, in)
	for _, err := range space.Contents(ctx, sp, Task{}, in) {
		errs["contents"] = err
	}
	errs["rollback"] = tx.Rollback(ctx)
	errs["defer"] = tx.Defer(ctx, 1, 0)
	errs["commit"] = tx.Commit(ctx)
	errs["abort"] = tx.Abort(ctx)
	return errs
}

func TestTxn_LeaseAborts(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1})
		tx := begin(t, sp)
		require.Equal(t, time.Minute, tx.Lease().Granted(), "unless For says otherwise")
		_, err := space.Take(ctx, sp, Task{}, space.In(tx))
		require.NoError(t, err)
		time.Sleep(time.Minute - time.Second)
		_, err = tx.Lease().Renew(ctx, time.Minute)
		require.NoError(t, err)
		time.Sleep(time.Minute - time.Second)
		require.Zero(t, count(t, sp, Task{}))
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, count(t, sp, Task{}))
		require.ErrorIs(t, tx.Commit(ctx), space.ErrTxnEnded)

		tx = begin(t, sp, space.For(time.Second))
		keeper := space.KeepAlive(ctx, time.Second, tx.Lease())
		time.Sleep(time.Hour)
		require.NoError(t, keeper.Err())
		require.NoError(t, tx.Commit(ctx))
		time.Sleep(time.Second)
		require.ErrorIs(t, keeper.Err(), space.ErrLeaseEnded)
	})
}

func TestTxn_LeaseIsCapped(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{MaxTxnLease: time.Second})
	defer sp.Close()
	write(t, sp, Task{})
	require.Equal(t, time.Second, begin(t, sp, space.For(space.Forever)).Lease().Granted())
	_, tx, err := space.TakeTxn(t.Context(), sp, Task{})
	require.NoError(t, err)
	require.Equal(t, time.Second, tx.Lease().Granted())
}

func TestTxn_EndsCallsThatWait(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		tx := begin(t, sp)
		var done sync.WaitGroup
		done.Go(func() {
			_, err := space.Take(ctx, sp, Task{}, space.In(tx))
			require.ErrorIs(t, err, space.ErrTxnEnded)
		})
		synctest.Wait()
		require.NoError(t, tx.Commit(ctx))
		done.Wait()
	})
}

func TestTxn_DeadlockHasAVictim(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1}, Task{ID: 2})
		a, b := begin(t, sp), begin(t, sp)
		for tx, id := range map[*space.Txn]int{a: 1, b: 2} {
			_, err := space.Take(ctx, sp, Task{ID: id}, space.In(tx))
			require.NoError(t, err)
		}
		var done sync.WaitGroup
		done.Go(func() {
			_, err := space.Take(ctx, sp, Task{ID: 2}, space.In(a))
			require.NoError(t, err, "the older one gets it when the younger one is aborted")
		})
		synctest.Wait()
		_, err := space.Take(ctx, sp, Task{ID: 1}, space.In(b))
		require.ErrorIs(t, err, space.ErrDeadlock)
		done.Wait()
		require.ErrorIs(t, b.Commit(ctx), space.ErrTxnEnded)
		require.NoError(t, a.Commit(ctx))
		require.Zero(t, count(t, sp, Task{}))
	})
}

// All have read the entry, so none can take it before all others have ended: it is a deadlock as soon as two want it,
// whatever the third does.
func TestTxn_DeadlockAmongReaders(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 2}, {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		bubble(t, func(ctx context.Context, sp space.Space) {
			write(t, sp, Task{ID: 1})
			txns := []*space.Txn{begin(t, sp), begin(t, sp), begin(t, sp)}
			for _, tx := range txns {
				_, err := space.Read(ctx, sp, Task{}, space.In(tx))
				require.NoError(t, err)
			}
			errs := make([]error, 3)
			var taking sync.WaitGroup
			for _, i := range order {
				taking.Go(func() { _, errs[i] = space.Take(ctx, sp, Task{}, space.In(txns[i])) })
				synctest.Wait()
			}
			if len(order) == 2 {
				idle := 3 - order[0] - order[1]
				require.NoError(t, txns[idle].Commit(ctx))
			}
			taking.Wait()
			slices.Sort(order)
			require.NoError(t, errs[order[0]], "the oldest gets it")
			for _, i := range order[1:] {
				require.ErrorIs(t, errs[i], space.ErrDeadlock)
			}
		})
	}
}

func TestTxn_BelongsToItsSpace(t *testing.T) {
	t.Parallel()
	ctx, sp, other := t.Context(), newSpace(t), newSpace(t)
	tx := begin(t, other)
	_, err := space.Write(ctx, sp, Task{}, space.In(tx))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, "began in another space")
	begin(t, sp) // has the same number, perhaps
	_, err = space.Write(ctx, sp, Task{}, space.In(space.TxnOf(sp, tx.ID())))
	require.ErrorContains(t, err, "began in another space")
	require.ErrorIs(t, space.TxnOf(sp, tx.ID()).Commit(ctx), space.ErrInvalidArgument)
	require.ErrorIs(t, space.TxnOf(sp, txn.ID{}).Commit(ctx), space.ErrInvalidArgument)
	_, err = space.Write(ctx, sp, Task{}, space.In(nil))
	require.ErrorContains(t, err, "nil")

	require.Equal(t, tx.ID(), space.TxnOf(other, txn.ID{Number: tx.ID().Number}).ID())
	named := memory.New(memory.Config{Name: "orders"})
	defer named.Close()
	require.Equal(t, "orders", begin(t, named).ID().Space)
}

func TestTxn_IsNotNested(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	tx := begin(t, sp)
	q, err := space.Match(ctx, sp, Task{})
	require.NoError(t, err)
	q.Begin, q.Txn = true, tx.ID()
	_, err = sp.Take(ctx, q)
	require.ErrorContains(t, err, "nested")
	q.Txn = txn.ID{}
	_, err = sp.Read(ctx, q)
	require.ErrorIs(t, err, space.ErrInvalidArgument, "reads begin none")
	q.Lease = -1
	_, err = sp.Take(ctx, q)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestTakeTxn_BeginsWithTheEntry(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		var done sync.WaitGroup
		done.Go(func() {
			task, tx, err := space.TakeTxn(ctx, sp, Task{}, space.For(time.Second))
			require.NoError(t, err)
			require.Equal(t, 1, task.ID)
			require.Equal(t, time.Second, tx.Lease().Remaining(), "it began now, after an hour of waiting")
			require.NoError(t, space.Stage(ctx, tx, Task{ID: 2}))
			require.NoError(t, tx.Commit(ctx))
		})
		time.Sleep(time.Hour)
		write(t, sp, Task{ID: 1})
		done.Wait()

		_, tx, err := space.TakeTxn(ctx, sp, Task{ID: 2}, space.For(time.Second))
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, tx.Commit(ctx), space.ErrTxnEnded)
		require.Equal(t, 1, count(t, sp, Task{ID: 2}))
		_, tx, err = space.TakeTxn(ctx, sp, Task{ID: 3}, space.NoWait())
		require.ErrorIs(t, err, space.ErrNoMatch)
		require.Nil(t, tx)
	})
}

func TestTakeTxn_BulkBeginsOneForEach(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1}, Task{ID: 2}, Task{ID: 3})
	q, err := space.Match(ctx, sp, Task{})
	require.NoError(t, err)
	q.Begin, q.Max, q.Lease = true, 10, time.Minute
	entries, err := sp.Take(ctx, q)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.NoError(t, entries[0].Txn.Commit(ctx))
	require.NoError(t, entries[1].Txn.Abort(ctx))
	require.NoError(t, entries[2].Txn.Defer(ctx, entries[2].ID, 0))
	require.NoError(t, entries[2].Txn.Commit(ctx))
	q.Begin, q.Max = false, 1
	for _, attempts := range []uint32{0, 1} {
		entries, err = sp.Take(ctx, q)
		require.NoError(t, err)
		require.Equal(t, attempts, entries[0].Attempts)
		require.Nil(t, entries[0].Txn)
	}
}

// narrow holds less than what is stored of the kind sample.
type narrow struct{ N int8 }

func (narrow) Kind() string { return "sample" }

func TestTxn_UnusableEntriesComeBack(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, sample{N: 1000})
	tx := begin(t, sp)
	_, err := space.Take(ctx, sp, narrow{}, space.In(tx))
	require.ErrorAs(t, err, new(*space.UnusableEntryError))
	require.Zero(t, count(t, sp, sample{}))
	require.NoError(t, tx.Abort(ctx))
	require.Equal(t, 1, count(t, sp, sample{}))

	_, tx, err = space.TakeTxn(ctx, sp, narrow{})
	require.ErrorAs(t, err, new(*space.UnusableEntryError))
	require.NoError(t, tx.Commit(ctx), "a transaction that finds it useless may remove it")
	require.Zero(t, count(t, sp, sample{}))
}

func TestTxn_FailedCommitLeavesItOpen(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	tx := begin(t, sp)
	_, err := space.Take(ctx, sp, Task{}, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, space.Stage(ctx, tx, sample{Raw: make([]byte, 2<<20)}))
	require.ErrorIs(t, tx.Commit(ctx), space.ErrTooLarge)
	require.NoError(t, tx.Rollback(ctx), "which forgets what was staged")
	require.Equal(t, 1, count(t, sp, Task{}))
	require.NoError(t, space.Stage(ctx, tx, sample{N: 1}))
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, 1, count(t, sp, sample{}))
	require.ErrorIs(t, space.Stage(ctx, tx, sample{}), space.ErrTxnEnded)
}

func TestTxn_RollbackKeepsSomeTakes(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	leases := write(t, sp, Task{ID: 1}, Task{ID: 2})
	tx := begin(t, sp)
	_, err := space.TakeAll(ctx, sp, Task{}, 2, space.In(tx))
	require.NoError(t, err)
	_, err = space.Write(ctx, sp, Task{ID: 3}, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx, leases[1].ID()))
	require.NoError(t, tx.Commit(ctx))
	task, err := space.Take(ctx, sp, Task{})
	require.NoError(t, err)
	require.Equal(t, 1, task.ID)
	require.Zero(t, count(t, sp, Task{}))
}

func TestTxn_DeferredEntriesComeLater(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		lease := write(t, sp, Task{ID: 1})[0]
		tx := begin(t, sp)
		require.ErrorIs(t, tx.Defer(ctx, lease.ID(), time.Hour), space.ErrNoMatch, "it was not taken")
		_, err := space.Take(ctx, sp, Task{}, space.In(tx))
		require.NoError(t, err)
		require.ErrorIs(t, tx.Defer(ctx, lease.ID(), -1), space.ErrInvalidArgument)
		require.NoError(t, tx.Defer(ctx, lease.ID(), time.Hour))
		require.NoError(t, tx.Commit(ctx))
		require.Zero(t, count(t, sp, Task{}))
		begun := time.Now()
		_, err = space.TakeID[Task](ctx, sp, lease.ID())
		require.ErrorIs(t, err, space.ErrNoMatch)
		q, err := space.Match(ctx, sp, Task{})
		require.NoError(t, err)
		entries, err := sp.Take(ctx, q)
		require.NoError(t, err)
		require.Equal(t, time.Hour, time.Since(begun).Round(time.Second))
		require.Equal(t, lease.ID(), entries[0].ID)
		require.EqualValues(t, 1, entries[0].Attempts)
	})
}

func TestTxn_ManyGoroutines(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, make([]Task, 100)...)
	tx := begin(t, sp)
	var working sync.WaitGroup
	for range 10 {
		working.Go(func() {
			for range 10 {
				_, err := space.Take(ctx, sp, Task{}, space.In(tx))
				require.NoError(t, err)
				require.NoError(t, space.Stage(ctx, tx, Task{State: "done"}))
			}
		})
	}
	working.Wait()
	var committed, ended int
	var mu sync.Mutex
	for range 10 {
		working.Go(func() {
			err := tx.Commit(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				committed++
				return
			}
			require.ErrorIs(t, err, space.ErrTxnEnded)
			ended++
		})
	}
	working.Wait()
	require.Equal(t, 1, committed)
	require.Equal(t, 9, ended)
	require.Equal(t, 100, count(t, sp, Task{State: "done"}))
}

func TestDelay_HidesForAWhile(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		_, err := space.Write(ctx, sp, Task{ID: 1}, space.Delay(time.Hour), space.For(time.Hour))
		require.NoError(t, err)
		_, err = space.Write(ctx, sp, Task{ID: 2}, space.Delay(time.Hour), space.For(time.Minute))
		require.NoError(t, err)
		_, err = space.Write(ctx, sp, Task{ID: 3}, space.Delay(-1))
		require.ErrorIs(t, err, space.ErrInvalidArgument)
		write(t, sp, Task{ID: 4})
		tx := begin(t, sp)
		require.NoError(t, space.Stage(ctx, tx, Task{ID: 5}, space.Delay(time.Minute)))
		require.NoError(t, tx.Commit(ctx))
		require.Equal(t, 1, count(t, sp, Task{}))

		begun := time.Now()
		_, err = space.Take(ctx, sp, Task{ID: 5})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(begun).Round(time.Second))
		_, err = space.Read(ctx, sp, Task{ID: 1})
		require.NoError(t, err)
		require.Equal(t, time.Hour, time.Since(begun).Round(time.Second))
		require.Equal(t, 3, count(t, sp, Task{}))
		time.Sleep(time.Until(begun.Add(time.Hour + time.Minute - time.Second)))
		require.Equal(t, 3, count(t, sp, Task{}))
		time.Sleep(time.Until(begun.Add(2*time.Hour - time.Second)))
		require.Equal(t, 2, count(t, sp, Task{}))
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, count(t, sp, Task{}))
	})
}

func TestTxn_TellsOfItsLoss(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		var lost []error
		note := func(why error) { lost = append(lost, why) }
		begin := func() *space.Txn {
			tx, err := space.Begin(ctx, sp, space.For(time.Minute))
			require.NoError(t, err)
			tx.OnLoss(note)
			return tx
		}
		require.NoError(t, begin().Commit(ctx))
		require.NoError(t, begin().Abort(ctx))
		synctest.Wait()
		require.Empty(t, lost, "its holder has ended it")

		lapsed, cancelled := begin(), begin()
		require.NoError(t, cancelled.Lease().Cancel(ctx))
		time.Sleep(time.Hour)
		synctest.Wait()
		lapsed.OnLoss(note)
		require.Len(t, lost, 3, "of both, and once more of the one that was lost before")
		for _, why := range lost {
			require.ErrorIs(t, why, space.ErrTxnEnded)
		}
	})
}

// counting is a space that counts commits.
type counting struct {
	space.Space
	commits *int
}

func (s counting) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	*s.commits++
	return s.Space.Commit(ctx, id, entries)
}

func TestTxn_ThroughASpaceAroundItsOwn(t *testing.T) {
	t.Parallel()
	ctx, local := t.Context(), newSpace(t)
	n := 0
	sp := counting{local, &n}
	write(t, local, Task{ID: 1})
	p, err := space.Prepare(ctx, sp, Task{})
	require.NoError(t, err)
	q := p.Query()
	q.Begin, q.Lease = true, time.Minute
	found, err := sp.Take(ctx, q)
	require.NoError(t, err)
	tx := found[0].Txn.Through(sp)
	require.Equal(t, space.Space(sp), tx.Space())
	_, err = space.Write(ctx, sp, Task{ID: 2}, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, 1, n)
}

func TestStage_TakesTheTypeOfAnInterfacesValue(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	tx, err := space.Begin(ctx, sp)
	require.NoError(t, err)
	for _, v := range []any{Task{ID: 1}, &Task{ID: 2}, Payment{Cents: 3}} {
		require.NoError(t, space.Stage(ctx, tx, v))
	}
	require.ErrorIs(t, space.Stage[any](ctx, tx, nil), space.ErrInvalidArgument)
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, 2, count(t, sp, Task{}))
	require.Equal(t, 1, count(t, sp, Payment{Cents: 3}))
}
