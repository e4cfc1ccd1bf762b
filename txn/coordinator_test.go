package txn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

// Partitions of two spaces.
var (
	a = txn.Address{Space: "orders"}
	b = txn.Address{Space: "orders", Partition: 1}
	c = txn.Address{Space: "stock"}
	d = txn.Address{Space: "stock", Partition: 1}
)

// transfer began in a.
var transfer = txn.ID{Space: "orders", Number: 1}

// commit makes changes under the transaction in spaces b and c, reads in d, changes its home a, and commits.
func (w *world) commit(t *testing.T) error {
	w.parts[a].begin(transfer.Number)
	for _, name := range []txn.Address{b, c, d} {
		if err := w.coord.Join(transfer, name); err != nil {
			return err
		}
		if name != d {
			if err := w.parts[name].use(transfer); err != nil {
				return err
			}
		}
	}
	return w.coord.Commit(t.Context(), transfer, w.parts[a].decide(transfer.Number))
}

// settled checks that all spaces agree on the outcome, and that only the effects of the transaction remain.
func (w *world) settled(t *testing.T, err error) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	applied := w.parts[a].applied[transfer]
	for _, name := range w.all {
		s := w.parts[name]
		if name != d {
			require.Equal(t, applied, s.applied[transfer], "space %s differs from its home", name)
		}
		require.Empty(t, s.prepared, "space %s still waits", name)
		require.Empty(t, s.branches, "space %s still has a branch", name)
		require.Empty(t, s.decisions, "space %s still remembers", name)
		require.Empty(t, s.active)
	}
	require.LessOrEqual(t, applied, 1)
	require.Zero(t, w.parts[d].applied[transfer])
	if err == nil {
		require.Equal(t, 1, applied, "it was said to be committed")
	}
}

func TestCommit_AllSpacesOrNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		require.NoError(t, w.commit(t))
		synctest.Wait()
		w.settled(t, nil)
		require.ErrorIs(t, w.coord.Commit(t.Context(), transfer, w.parts[a].decide(1)), errEnded)
	})
}

// TestCommit_FaultAtEveryStep injects every kind of fault at every step of a commit.
func TestCommit_FaultAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		crashBefore, crashAfter, failBefore, failAfter, refuseBefore, loseAnswer, twice, late,
	} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			t.Parallel()
			committed, aborted := 0, 0
			for at := 1; ; at++ {
				happened := false
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, f, at, a, b, c, d)
					err := w.commit(t)
					synctest.Wait()
					happened = w.steps >= at
					if w.dead {
						w.restart(t.Context())
					}
					w.repair()
					watching, end := context.WithTimeout(t.Context(), 2*time.Minute)
					defer end()
					go w.coord.Watch(watching)
					time.Sleep(time.Minute)
					w.comeLate()
					time.Sleep(time.Minute)
					synctest.Wait()
					w.settled(t, err)
					if w.parts[a].applied[transfer] == 1 {
						committed++
					} else {
						aborted++
					}
				})
				if !happened {
					break
				}
			}
			require.Positive(t, committed)
			if f != twice && f != late { // these hinder nothing by themselves
				require.Positive(t, aborted)
			}
		})
	}
}

// TestStart_IsInterrupted kills the process again at every step of a restart.
func TestStart_IsInterrupted(t *testing.T) {
	t.Parallel()
	for crash := 1; crash <= 5; crash++ {
		for again := 1; again <= 8; again++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, crashAfter, crash, a, b, c, d)
				err := w.commit(t)
				synctest.Wait()
				require.True(t, w.dead)
				w.mu.Lock()
				w.dead, w.steps, w.at = false, 0, again
				for _, s := range w.parts {
					s.forgetMemory()
				}
				w.mu.Unlock()
				w.coord.Start(t.Context())
				w.restart(t.Context())
				time.Sleep(time.Minute)
				synctest.Wait()
				w.settled(t, err)
			})
		}
	}
}

func TestCommit_FailsWhenABranchWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		require.NoError(t, w.coord.Join(transfer, b))
		require.NoError(t, w.coord.Join(transfer, b), "again is no harm")
		require.NoError(t, w.coord.Join(transfer, c))
		require.NoError(t, w.parts[c].use(transfer))
		w.parts[b].forgetMemory()
		err := w.coord.Commit(t.Context(), transfer, w.parts[a].decide(1))
		require.ErrorIs(t, err, txn.ErrAborted)
		require.ErrorContains(t, err, b.String())
		w.settled(t, err)
		require.ErrorIs(t, w.coord.Join(transfer, d), errEnded)
	})
}

func TestCommit_AbortsWhatIsNotDecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		require.NoError(t, w.coord.Join(transfer, b))
		require.NoError(t, w.parts[b].use(transfer))
		cause := errors.New("too large")
		err := w.coord.Commit(t.Context(), transfer, func(context.Context, []txn.Address) error { return cause })
		require.ErrorIs(t, err, txn.ErrAborted)
		require.ErrorIs(t, err, cause)
		w.settled(t, err)
	})
}

func TestJoin_EndsATransactionWhoseBranchWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		require.NoError(t, w.coord.Join(transfer, b))
		require.NoError(t, w.coord.Join(transfer, c))
		w.parts[b].forgetMemory()
		require.ErrorIs(t, w.coord.Join(transfer, b), errEnded)
		synctest.Wait()
		w.settled(t, errEnded)
	})
}

func TestJoin_LeavesNothingOfATransactionThatHasEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, none, 0, a, b, c, d)
	w.parts[a].begin(1)
	require.NoError(t, w.coord.Join(transfer, b))
	w.parts[a].forgetMemory() // and b was not told
	require.ErrorIs(t, w.coord.Join(transfer, b), txn.ErrEnded)
	require.False(t, w.parts[b].HasBranch(transfer))
}

func TestJoin_NeedsAHomeAndASpace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, none, 0, a, b)
	require.ErrorIs(t, w.coord.Join(txn.ID{Space: "nowhere", Number: 1}, b), txn.ErrNoHome)
	require.ErrorContains(t, w.coord.Join(transfer, txn.Address{Space: "nowhere"}), "nowhere")
	require.ErrorIs(t, w.coord.Join(transfer, b), errEnded)
	nowhere := txn.ID{Space: "nowhere", Number: 1}
	require.ErrorIs(t, w.coord.Commit(t.Context(), nowhere, nil), txn.ErrNoHome)
	require.ErrorIs(t, w.coord.Abort(t.Context(), nowhere), txn.ErrNoHome)
	require.ErrorIs(t, w.coord.Rollback(t.Context(), nowhere, nil), txn.ErrNoHome)
}

func TestCommit_KeepsOthersOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		require.NoError(t, w.coord.Join(transfer, b))
		require.NoError(t, w.parts[b].use(transfer))
		commit := w.parts[a].decide(1)
		second := make(chan error, 1)
		require.NoError(t, w.coord.Commit(t.Context(), transfer, func(ctx context.Context, branches []txn.Address) error {
			require.Equal(t, []txn.Address{b}, branches)
			require.ErrorIs(t, w.coord.Join(transfer, c), txn.ErrCommitting)
			go func() { second <- w.coord.Commit(t.Context(), transfer, commit) }()
			synctest.Wait()
			require.Empty(t, second, "it waits for the first")
			impatient, cancel := context.WithCancel(ctx)
			cancel()
			require.ErrorIs(t, w.coord.Commit(impatient, transfer, commit), context.Canceled)
			return commit(ctx, branches)
		}))
		require.ErrorIs(t, <-second, txn.ErrEnded)
		require.ErrorIs(t, w.coord.Commit(t.Context(), transfer, commit), errEnded)
	})
}

func TestAbort_EndsAllBranches(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{none, failBefore, failAfter, refuseBefore} {
		for at := 1; at <= 6; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, f, at, a, b, c, d)
				w.parts[a].begin(1)
				require.NoError(t, w.coord.Join(transfer, b))
				require.NoError(t, w.coord.Join(transfer, c))
				require.NoError(t, w.parts[c].use(transfer))
				err := w.coord.Abort(t.Context(), transfer)
				if f == none {
					w.settled(t, errEnded)
					require.ErrorIs(t, w.coord.Abort(t.Context(), transfer), errEnded)
				}
				if at > 1 {
					require.NoError(t, err, "the home has ended it")
				}
				if f == refuseBefore && at == 1 {
					require.NoError(t, w.coord.Abort(t.Context(), transfer))
				}
				w.repair()
				time.Sleep(time.Minute)
				synctest.Wait()
				w.settled(t, errEnded)
			})
		}
	}
}

func TestRollback_UndoesBranchesAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		for _, name := range []txn.Address{b, c} {
			require.NoError(t, w.coord.Join(transfer, name))
			require.NoError(t, w.parts[name].use(transfer))
		}
		var undone []txn.Address
		undo := func(_ context.Context, name txn.Address) error {
			undone = append(undone, name)
			if name == a {
				return nil
			}
			return w.parts[name].undo(transfer)
		}
		require.NoError(t, w.coord.Rollback(t.Context(), transfer, undo))
		require.Equal(t, []txn.Address{b, c, a}, undone)
		require.NoError(t, w.parts[c].use(transfer))
		require.NoError(t, w.coord.Commit(t.Context(), transfer, w.parts[a].decide(1)))
		synctest.Wait()
		require.Zero(t, w.parts[b].applied[transfer])
		require.Equal(t, 1, w.parts[c].applied[transfer])

		w.parts[a].begin(2)
		next := txn.ID{Space: a.Space, Number: 2}
		require.NoError(t, w.coord.Join(next, b))
		w.parts[b].forgetMemory()
		require.ErrorIs(t, w.coord.Rollback(t.Context(), next, undo), txn.ErrAborted)
		require.ErrorIs(t, w.coord.Abort(t.Context(), next), errEnded)
	})
}

func TestDoomed_AbortsEverywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		require.NoError(t, w.coord.Join(transfer, b))
		require.NoError(t, w.coord.Join(transfer, c))
		require.NoError(t, w.parts[c].Abort(t.Context(), transfer))
		w.coord.Doomed(transfer)
		w.coord.Doomed(transfer)
		w.coord.Doomed(txn.ID{Space: "nowhere", Number: 1})
		synctest.Wait()
		w.settled(t, errEnded)
		require.ErrorIs(t, w.coord.Commit(t.Context(), transfer, w.parts[a].decide(1)), errEnded)
	})
}

func TestRecovered_EndsBranchesOfWhatWasActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, none, 0, a, b, c, d)
		w.parts[a].begin(1)
		require.NoError(t, w.coord.Join(transfer, b))
		require.NoError(t, w.coord.Join(transfer, c))
		other := txn.ID{Space: d.Space, Number: txn.IDBase(d.Partition) + 1}
		w.parts[d].begin(other.Number)
		require.NoError(t, w.coord.Join(other, b))
		w.parts[a].forgetMemory()
		w.coord.Recovered(a)
		synctest.Wait()
		require.False(t, w.parts[b].HasBranch(transfer))
		require.False(t, w.parts[c].HasBranch(transfer))
		require.True(t, w.parts[b].HasBranch(other))
	})
}

func TestClose_LeavesWhatCannotBeDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, failAfter, 5, a, b, c, d)
		err := w.commit(t)
		synctest.Wait()
		w.coord.Close()
		w.coord.Close()
		w.coord.Recovered(b)
		w.restart(t.Context())
		w.settled(t, err)
	})
}

// open returns what partitions still hold of transactions.
func (w *world) open() (left []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, s := range w.parts {
		if len(s.prepared)+len(s.branches)+len(s.decisions) > 0 {
			left = append(left, at.String())
		}
	}
	return left
}

// hide takes a partition out of the world. Until it is gone it may come back.
func (w *world) hide(at txn.Address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = slices.DeleteFunc(slices.Clone(w.all), func(a txn.Address) bool { return a == at })
	w.hidden = append(w.hidden, at)
	delete(w.parts, at)
}

// A space that cannot be read after a crash leaves transactions open in the others. When it is dropped they end.
func TestDropped_LeavesNothingOpen(t *testing.T) {
	t.Parallel()
	for _, lost := range []txn.Address{a, b} {
		wasOpen := 0
		for crash := 1; ; crash++ {
			happened := false
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, crashAfter, crash, a, b, c, d)
				_ = w.commit(t)
				synctest.Wait()
				if happened = w.dead; !happened {
					return
				}
				w.hide(lost)
				w.restart(t.Context())
				time.Sleep(time.Minute)
				synctest.Wait()
				wasOpen += len(w.open())

				w.mu.Lock()
				w.hidden = nil
				w.mu.Unlock()
				w.coord.Dropped(t.Context(), lost)
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Empty(t, w.open(), "crash %d", crash)
			})
			if !happened {
				break
			}
		}
		require.Positive(t, wasOpen, lost)
	}
}
