package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

func TestCommit_OrderIsThatOfTheCommit(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.begin()
	s.write(a, 1, 2)
	s.write(tx0, 3)
	require.Equal(t, []int{1, 2, 3}, s.found(upTo(9, read(a))), "visible to it in this order")
	s.commit(a, draft(4))
	require.Equal(t, []int{3, 1, 2, 4}, s.found(upTo(9, read(tx0))))
	require.Equal(t, []int{3, 1, 2, 4}, s.restarted().found(upTo(9, read(tx0))))
}

func TestCommit_IsOneChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	a := s.begin()
	s.find(take(a, 1))
	s.write(a, 3)
	lsn := s.e.LSN()
	s.commit(a, draft(4))
	require.Equal(t, lsn+1, s.e.LSN())
}

func TestCommit_BadDraftsLeaveTheTransactionAsItWas(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	a := s.begin()
	s.find(take(a, 1))
	s.write(a, 2)
	for _, bad := range []call.Draft{
		{Kind: 99, Lease: call.Forever},
		{Kind: stoneKind, Lease: -1},
		{Kind: stoneKind, Lease: 1, Delay: -1},
	} {
		require.Error(t, s.e.Commit(s.now, under(a), call.Request{}, []call.Draft{draft(3), bad}).Err, "%+v", bad)
		require.Equal(t, []int{2}, s.found(upTo(9, read(a))))
		require.Equal(t, hidden, s.state(1))
	}
	s.abort(a)
	require.Equal(t, []int{1}, s.found(upTo(9, read(tx0))))
}

func TestAbort_PutsBackInTheOldPlace(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2, 3, 4, 5)
	a, b := s.begin(), s.begin()
	s.find(take(a, 4))
	s.find(take(b, 3))
	s.find(take(a, 1))
	s.find(take(tx0, 2))
	s.write(tx0, 6)
	s.abort(a)
	s.abort(b)
	require.Equal(t, []int{1, 3, 4, 5, 6}, s.found(upTo(9, take(tx0))))
}

func TestAbort_TheOldestOfWhatItPutsBackGoesFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	a := s.begin()
	s.find(take(a, 2))
	s.find(take(a, 1))
	first, second, reader := s.wait(take(tx0)), s.wait(take(tx0)), s.wait(read(tx0))
	s.abort(a)
	s.requireServed(first, 1)
	s.requireServed(second, 2)
	s.requireServed(reader, 1)
}

func TestAbort_LeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	a := s.begin()
	before := s.e.Hash()
	s.find(take(a, 1))
	s.find(read(a, 2))
	s.abort(a)
	require.Equal(t, []int{1, 2}, s.found(upTo(9, read(tx0))))
	require.Equal(t, before, s.e.Hash())
	require.Empty(t, s.e.txns)
}

// Every call under an ended transaction returns ErrTxnEnded, and changes nothing.
func TestTxn_EndedIsEnded(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s *scene, a uint64){
		"committed":   func(s *scene, a uint64) { s.commit(a) },
		"aborted":     func(s *scene, a uint64) { s.abort(a) },
		"cancelled":   func(s *scene, a uint64) { s.cancel(a) },
		"expired":     func(s *scene, a uint64) { s.now += second },
		"never begun": func(s *scene, a uint64) {},
	}
	calls := map[string]func(s *scene, a, entry uint64) error{
		"write": func(s *scene, a, _ uint64) error {
			return s.e.Write(s.now, under(a), call.Request{}, []call.Draft{draft(2)}).Err
		},
		"read":     func(s *scene, a, _ uint64) error { return s.e.Find(s.now, read(a)).Err },
		"take":     func(s *scene, a, _ uint64) error { return s.e.Find(s.now, take(a)).Err },
		"count":    func(s *scene, a, _ uint64) error { return s.e.Count(s.now, read(a)).Err },
		"contents": func(s *scene, a, _ uint64) error { return s.e.Contents(s.now, read(a), call.Cursor{}).Err },
		"notify": func(s *scene, a, _ uint64) error {
			return s.e.Notify(s.now, read(a), call.Events(call.Written), call.Forever).Err
		},
		"update": func(s *scene, a, entry uint64) error {
			return s.e.Update(s.now, under(a), call.Request{}, call.Change{ID: entry, Row: stoneRow(5)}).Err
		},
		"commit": func(s *scene, a, _ uint64) error {
			return s.e.Commit(s.now, under(a), call.Request{}, []call.Draft{draft(2)}).Err
		},
		"abort":    func(s *scene, a, _ uint64) error { return s.e.Abort(s.now, under(a)).Err },
		"rollback": func(s *scene, a, _ uint64) error { return s.e.Rollback(s.now, under(a), nil).Err },
		"defer":    func(s *scene, a, entry uint64) error { return s.e.Defer(s.now, under(a), entry, second).Err },
	}
	for ending, end := range ends {
		for name, callID := range calls {
			t.Run(ending+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				entry := s.write(tx0, 1)
				a := uint64(1 << 40)
				if ending != "never begun" {
					a = s.beginFor(second)
				}
				end(s, a)
				s.e.Expire(s.now)
				before := s.e.Hash()
				require.ErrorIs(t, callID(s, a, entry), call.ErrTxnEnded)
				require.Equal(t, before, s.e.Hash())
				require.Equal(t, []int{1}, s.found(upTo(9, read(tx0))))
				require.ErrorIs(t, s.e.Renew(s.now, call.Request{}, second, []uint64{a}).Errs[0], call.ErrLeaseEnded)
				require.ErrorIs(t, s.e.Cancel(s.now, call.Request{}, []uint64{a}).Errs[0], call.ErrLeaseEnded)
			})
		}
	}
}

// A caller that is told that the lease of a transaction has ended finds its locks released, even before the timer looks
// for such leases.
func TestTxn_ItsLocksAreGoneWhenItsLeaseIsSaidToHaveEnded(t *testing.T) {
	t.Parallel()
	calls := map[string]func(s *scene, ids []uint64) call.Result{
		"renew":  func(s *scene, ids []uint64) call.Result { return s.e.Renew(s.now, call.Request{}, second, ids) },
		"cancel": func(s *scene, ids []uint64) call.Result { return s.e.Cancel(s.now, call.Request{}, ids) },
	}
	for name, callID := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.write(tx0, 1)
			a := s.beginFor(second)
			require.Equal(t, []int{1}, s.found(upTo(1, take(a))))
			w := s.wait(upTo(1, take(tx0)))
			s.now += second
			r := callID(s, []uint64{a})
			require.ErrorIs(t, r.Errs[0], call.ErrLeaseEnded)
			require.NotZero(t, r.Depends)
			s.requireServed(w, 1)
		})
	}
}

func TestTxn_CallsThatWaitEndWithIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *scene, a uint64){
		"commit": func(s *scene, a uint64) { s.commit(a) },
		"abort":  func(s *scene, a uint64) { s.abort(a) },
		"cancel": func(s *scene, a uint64) { s.cancel(a) },
		"expiry": func(s *scene, a uint64) { s.pass(2 * second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.write(s.begin(), 1)
			a := s.beginFor(second)
			waits := []*Waiter{s.wait(read(a)), s.wait(take(a, 7)), s.wait(ifExists(take(a)))}
			other := s.wait(take(tx0))
			end(s, a)
			for _, w := range waits {
				s.requireEnded(w, call.ErrTxnEnded)
			}
			s.requireWaiting(other)
			s.write(tx0, 7)
			s.requireServed(other, 7)
			require.Len(t, s.e.Granted, 1)
		})
	}
}

func TestTxn_EntryLeasesRunOn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *scene, a uint64){
		"commit": func(s *scene, a uint64) { s.commit(a) },
		"abort":  func(s *scene, a uint64) { s.abort(a) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			short := func(age int) call.Draft { return call.Draft{Kind: stoneKind, Row: stoneRow(age), Lease: second} }
			s.writeDrafts(tx0, short(1), short(2))
			a := s.begin()
			s.writeDrafts(a, short(3))
			require.Equal(t, []int{3}, s.found(read(a, 3)))
			s.find(take(a, 1))
			s.find(read(a, 2))
			registrations := s.notify(tx0, call.Written, call.Expired, call.Taken, call.Available, call.Visible)
			s.pass(2 * second)
			s.requireEvents(registrations, event{call.Expired, 1}, event{call.Expired, 2})
			require.Empty(t, s.found(upTo(9, read(a))))
			end(s, a)
			s.requireEvents(registrations)
			for age := range 4 {
				require.Equal(t, gone, s.state(age))
			}
		})
	}
}

func TestTxn_WhatItWroteAndTookLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	registrations := s.notify(tx0, call.Written, call.Taken, call.Expired, call.Cancelled, call.Available, call.Visible)
	a := s.begin()
	own := s.notify(a, call.Written)
	s.write(a, 1)
	s.requireEvents(own, event{call.Written, 1})
	require.Equal(t, ok, s.find(take(a)))
	s.requireEvents(registrations)
	s.commit(a)
	s.requireEvents(registrations)
	require.Equal(t, gone, s.state(1))
}

func TestTxn_LeasesOfWhatItWroteAreRenewedAndCancelled(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.begin()
	kept := s.writeDrafts(a, call.Draft{Kind: stoneKind, Row: stoneRow(1), Lease: second})
	cancelled := s.write(a, 2)
	registrations := s.notify(tx0, call.Renewed, call.Cancelled, call.Written)
	require.NoError(t, s.e.Renew(s.now, call.Request{}, 10*second, []uint64{kept}).Errs[0])
	s.requireEvents(registrations)
	s.cancel(cancelled)
	s.requireEvents(registrations)
	s.pass(5 * second)
	s.commit(a)
	s.requireEvents(registrations, event{call.Written, 1})
	require.Equal(t, []int{1}, s.found(upTo(9, read(tx0))))
	require.Equal(t, []int{1}, s.restarted().found(upTo(9, read(tx0))))
	s.pass(6 * second)
	require.Equal(t, gone, s.state(1))
}

func TestTxn_ActiveOnesAreGoneAfterACrash(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	a := s.begin()
	last := s.write(a, 3)
	s.find(take(a, 1))
	s.find(read(a, 2))
	s = s.restarted()
	require.Equal(t, []int{1, 2}, s.found(upTo(9, read(tx0))))
	require.Equal(t, ended, s.find(read(a)))
	require.Equal(t, isFree, s.state(1))
	require.Equal(t, isFree, s.state(2))
	require.Greater(t, s.write(tx0, 4), last, "an identity that a client knows is not issued again")
}

func TestWaiting_LastReaderIsPromoted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *scene, t uint64){
		"commit":   func(s *scene, t uint64) { s.commit(t) },
		"abort":    func(s *scene, t uint64) { s.abort(t) },
		"rollback": func(s *scene, t uint64) { s.rollback(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.write(tx0, 1)
			a, b := s.begin(), s.begin()
			s.find(read(a))
			s.find(read(b))
			registrations := s.notify(tx0, call.Available, call.Visible)
			w := s.wait(take(a))
			end(s, b)
			s.requireServed(w, 1)
			s.requireEvents(registrations)
			require.Equal(t, hidden, s.state(1))
			s.abort(a)
			s.requireEvents(registrations, event{call.Available, 1}, event{call.Visible, 1})
		})
	}
}

func TestWaiting_AReadUnderATransactionKeepsTheEntryFromLaterTakes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.begin()
	taker, own, reader := s.wait(take(tx0)), s.wait(take(a, 2)), s.wait(read(a))
	s.write(tx0, 1)
	s.requireServed(reader, 1)
	s.requireWaiting(taker)
	require.Equal(t, readLocked, s.state(1))
	s.write(tx0, 2)
	s.requireServed(taker, 2)
	s.requireWaiting(own)
	s.abort(a)
	s.requireEnded(own, call.ErrTxnEnded)
}

func TestWaiting_WritesUnderATransactionServeIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.begin()
	other, reader, taker := s.wait(take(tx0)), s.wait(read(a)), s.wait(take(a))
	s.write(a, 1)
	s.requireServed(reader, 1)
	s.requireServed(taker, 1)
	s.requireWaiting(other)
	s.commit(a)
	s.requireWaiting(other)
}

func TestIfExists_EndsWhenNoMatchIsLeft(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(s *scene, a uint64) (end func()){
		"taken and committed": func(s *scene, a uint64) func() {
			s.write(tx0, 1)
			s.find(take(a))
			return func() { s.commit(a) }
		},
		"written and aborted": func(s *scene, a uint64) func() {
			s.write(a, 1)
			return func() { s.abort(a) }
		},
		"written and rolled back": func(s *scene, a uint64) func() {
			s.write(a, 1)
			return func() { s.rollback(a) }
		},
		"written and taken": func(s *scene, a uint64) func() {
			s.write(a, 1)
			return func() { s.find(take(a)) }
		},
		"taken and cancelled": func(s *scene, a uint64) func() {
			id := s.write(tx0, 1)
			s.find(take(a))
			return func() { s.cancel(id) }
		},
		"written and cancelled": func(s *scene, a uint64) func() {
			id := s.write(a, 1)
			return func() { s.cancel(id) }
		},
		"taken and expired": func(s *scene, a uint64) func() {
			s.writeDrafts(tx0, call.Draft{Kind: stoneKind, Row: stoneRow(1), Lease: second})
			s.find(take(a))
			return func() { s.pass(2 * second) }
		},
		"taken, deferred and committed": func(s *scene, a uint64) func() {
			id := s.write(tx0, 1)
			s.find(take(a))
			require.NoError(s.t, s.e.Defer(s.now, under(a), id, second).Err)
			return func() { s.commit(a) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			b := s.begin()
			end := run(s, s.begin())
			waits := []*Waiter{
				s.wait(ifExists(read(tx0))), s.wait(ifExists(take(tx0))), s.wait(ifExists(read(b))), s.wait(ifExists(take(b))),
			}
			plain := s.wait(take(tx0))
			end()
			for _, w := range waits {
				s.requireEnded(w, call.ErrNoMatch)
			}
			s.requireWaiting(plain)
		})
	}
}

func TestIfExists_WaitsForEveryLock(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	a, b := s.begin(), s.begin()
	s.find(take(a))
	w := s.wait(ifExists(take(tx0)))
	s.write(b, 2) // joins
	s.commit(a)
	s.requireWaiting(w)
	s.abort(b)
	s.requireEnded(w, call.ErrNoMatch)
}

func TestIfExists_IsServedByWhatBecomesFree(t *testing.T) {
	t.Parallel()
	for name, free := range map[string]func(s *scene, a uint64){
		"aborted take": func(s *scene, a uint64) { s.abort(a) },
		"new write":    func(s *scene, a uint64) { s.write(tx0, 2) },
		"new commit":   func(s *scene, a uint64) { b := s.begin(); s.write(b, 2); s.commit(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.write(tx0, 1)
			a := s.begin()
			s.find(take(a))
			w := s.wait(ifExists(take(tx0)))
			free(s, a)
			require.Contains(t, s.e.Granted, w)
			require.NoError(t, w.Err)
			require.Len(t, w.Got, 1)
		})
	}
}

// An entry that becomes free and goes to an earlier caller is still a locked match.
func TestIfExists_WaitsOnWhenAnotherGetsTheEntry(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	a, b := s.begin(), s.begin()
	s.find(take(a))
	first, second := s.wait(ifExists(take(b))), s.wait(ifExists(take(tx0)))
	s.abort(a)
	s.requireServed(first, 1)
	s.requireWaiting(second)
	s.commit(b)
	s.requireEnded(second, call.ErrNoMatch)
}

func TestDeadlock_OfThree(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 0, 1, 2)
	var txns []uint64
	for age := range 3 {
		txns = append(txns, s.begin())
		s.find(take(txns[age], age))
	}
	waits := []*Waiter{s.wait(take(txns[0], 1)), s.wait(ifExists(read(txns[1], 2)))}
	bystander := s.wait(take(s.begin(), 2))
	waits = append(waits, s.wait(take(txns[2], 0)))
	s.requireEnded(waits[2], call.ErrDeadlock)
	s.requireServed(waits[1], 2)
	s.requireWaiting(waits[0])
	s.requireWaiting(bystander)
	s.commit(txns[1])
	s.requireWaiting(waits[0])
	s.requireServed(bystander, 2)
}

func TestDeadlock_WaitingWithoutATransactionIsNone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	a, b := s.begin(), s.begin()
	s.find(take(a, 1))
	s.find(take(b, 2))
	w := []*Waiter{s.wait(take(tx0, 1)), s.wait(take(tx0, 2)), s.wait(take(a, 2))}
	for _, w := range w {
		s.requireWaiting(w)
	}
	s.commit(b)
	s.requireWaiting(w[2])
	s.commit(a)
}

func TestWaiting_WithAnOrdering(t *testing.T) {
	t.Parallel()
	ordered := func(q *call.Query) *call.Query {
		q.Order = []template.Order{{Field: 0, Desc: true}}
		return q
	}
	s := newScene(t)
	registrations := s.notify(tx0, call.Written)
	reader, three := s.wait(ordered(read(tx0))), s.wait(read(tx0, 3))
	best, last, first := s.wait(ordered(take(tx0))), s.wait(take(tx0, 3)), s.wait(take(tx0))
	s.write(tx0, 1, 2, 3)
	s.requireEvents(registrations, event{call.Written, 1}, event{call.Written, 2}, event{call.Written, 3})
	s.requireServed(reader, 3)
	s.requireServed(three, 3)
	s.requireServed(best, 3)
	s.requireServed(first, 1)
	s.requireWaiting(last)
	require.Equal(t, []int{2}, s.found(upTo(9, read(tx0))))
}

func TestWaiting_OrderOfArrivalComesBeforeAnOrdering(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	two := s.wait(take(tx0, 2))
	best := take(tx0)
	best.Order = []template.Order{{Field: 0, Desc: true}}
	any := s.wait(best)
	s.write(tx0, 1, 2)
	s.requireServed(two, 2)
	s.requireServed(any, 1)
}

func TestWaiting_AReadWithAnOrderingHidesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.begin()
	best := read(a)
	best.Order = []template.Order{{Field: 0, Desc: true}}
	registrations := s.notify(tx0, call.Written)
	ordered, plain := s.wait(best), s.wait(read(tx0, 2))
	s.write(tx0, 1, 2)
	s.requireServed(ordered, 2)
	s.requireServed(plain, 2)
	s.requireEvents(registrations, event{call.Written, 1}, event{call.Written, 2})
}

// A cycle may also close when a transaction with a waiting call locks something by another call.
func TestDeadlock_ClosedByAWrite(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	old, young := s.begin(), s.begin()
	s.find(take(old, 1))
	wants := s.wait(take(young, 1))
	waits := s.wait(take(old, 2))
	s.requireWaiting(waits)
	s.write(young, 2)
	s.requireEnded(wants, call.ErrDeadlock)
	s.requireWaiting(waits)
	require.Equal(t, gone, s.state(2))
}

// A cycle may also close when a call stops waiting for something that might have come.
func TestDeadlock_ClosedByTheEndOfAWait(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	old, young := s.begin(), s.begin()
	s.find(take(old, 1))
	s.find(take(young, 2))
	hopes := s.wait(take(young, 7))
	wants := s.wait(take(young, 1))
	waits := s.wait(take(old, 2))
	s.requireWaiting(waits)
	require.True(t, s.e.Unpark(hopes))
	s.e.Expire(s.now)
	s.requireEnded(wants, call.ErrDeadlock)
	s.requireServed(waits, 2)
}

// A cycle may also remain when a transaction ends that could have released a lock.
func TestDeadlock_LeftOverByACommit(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	a, b, c := s.begin(), s.begin(), s.begin()
	s.find(read(a, 1))
	s.find(read(b, 1))
	s.find(take(c, 2))
	first, second := s.wait(take(a)), s.wait(take(b))
	s.requireWaiting(first)
	s.requireWaiting(second)
	s.commit(c)
	s.requireEnded(second, call.ErrDeadlock)
	s.requireServed(first, 1)
}

// The leases and writes of a transaction are limited.
func TestTxn_Limits(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.e.limits = Limits{
		EntryLease: second, RegistrationLease: 2 * second, TxnLease: 3 * second,
		TxnBytes: 3 * len(stoneRow(1)),
	}
	begun := s.e.Begin(s.now, call.Forever, call.Request{}, "").Grants[0]
	require.Equal(t, 3*second, begun.Granted)
	a := begun.ID
	require.Equal(t, second, s.e.Write(s.now, under(a), call.Request{}, []call.Draft{draft(1)}).Grants[0].Granted)
	require.Equal(t, 2*second, s.e.Notify(s.now, read(a), call.Events(call.Written), call.Forever).Grants[0].Granted)
	require.Equal(t, 3*second, s.e.Renew(s.now, call.Request{}, call.Forever, []uint64{a}).Grants[0].Granted)

	taking := take(tx0)
	taking.Begin, taking.Lease = true, call.Forever
	s.write(tx0, 9)
	r := s.e.Find(s.now, taking)
	require.Equal(t, []call.Grant{{ID: r.Entries[0].Txn, Granted: 3 * second}}, r.Grants)

	id := s.write(a, 2)
	require.NoError(t, s.e.Update(s.now, under(a), call.Request{}, call.Change{ID: id, Row: stoneRow(3)}).Err)
	require.ErrorIs(t, s.e.Update(s.now, under(a), call.Request{}, call.Change{ID: id, Row: stoneRow(4)}).Err,
		call.ErrTooLarge)
	require.ErrorIs(t, s.e.Write(s.now, under(a), call.Request{}, []call.Draft{draft(5)}).Err, call.ErrTooLarge)
	require.ErrorIs(t, s.e.Commit(s.now, under(a), call.Request{}, []call.Draft{draft(5)}).Err, call.ErrTooLarge)
	require.Equal(t, []int{1, 3}, s.found(upTo(9, read(a))))
	s.rollback(a)
	require.NoError(t, s.e.Write(s.now, under(a), call.Request{}, []call.Draft{draft(5)}).Err)
	s.commit(a)
	require.Equal(t, []int{5}, s.found(upTo(9, read(tx0))))
}

// A lease that ends at the end of time does not arm a timer in the past, which would fire forever.
func TestNextExpiry_OfTheLongestLeases(t *testing.T) {
	t.Parallel()
	for _, lease := range []int64{call.Forever - 1, call.Forever - 1<<tickShift, call.Forever - 3<<tickShift} {
		s := newScene(t)
		s.writeDrafts(tx0, leased(draft(1), lease))
		require.Greater(t, s.e.NextExpiry(), s.now, "an entry")
		s = newScene(t)
		s.beginFor(lease)
		require.Greater(t, s.e.NextExpiry(), s.now, "a transaction")
	}
}
