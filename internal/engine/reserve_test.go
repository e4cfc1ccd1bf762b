package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
)

func reserve(age ...int) *call.Query {
	q := read(tx0, age...)
	q.Reserve = true
	return q
}

// reserved reserves a stone and returns its identity and the number of the reservation.
func (s *scene) reserved(age ...int) (id, number uint64) {
	s.t.Helper()
	r := s.e.Find(s.now, reserve(age...))
	require.NoError(s.t, r.Err)
	require.NotZero(s.t, r.Entries[0].Txn)
	return r.Entries[0].ID, r.Entries[0].Txn
}

// takeOf returns a take of one stone.
func takeOf(id uint64) *call.Query {
	q := take(tx0)
	q.ID = id
	return q
}

func TestReserve_OthersReadAndDoNotTake(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	s.abort(s.begin()) // reserves identities in the log
	before := s.e.LSN()
	s.reserved()
	require.Equal(t, before, s.e.LSN(), "the log knows nothing of it")
	require.Equal(t, ok, s.find(read(tx0)))
	require.Equal(t, conflict, s.find(take(tx0)))
	require.Equal(t, conflict, s.find(reserve()))
	require.Equal(t, 1, s.e.Count(s.now, read(tx0)).Count)
	require.Zero(t, s.e.Transactions())
}

// The take that was promised the entry is an ordinary one, by its identity; so is one of another call.
func TestReserve_ATakeByIdentityDisregardsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1, 2)
	id, number := s.reserved()
	waiting := s.wait(take(tx0, 1))
	require.Equal(t, []int{1}, s.found(takeOf(id)))
	s.requireWaiting(waiting)
	require.Equal(t, none, s.find(takeOf(id)))
	s.e.Release(s.now, number) // it is over
	require.Equal(t, []int{2}, s.found(take(tx0)))
}

// A take by identity that does not fit leaves the entry to those who wait.
func TestReserve_ATakeThatDoesNotMatchFreesTheEntry(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	id, _ := s.reserved()
	waiting := s.wait(take(tx0))
	other := take(tx0, 7)
	other.ID = id
	require.ErrorIs(t, s.e.Find(s.now, other).Err, call.ErrNoMatch)
	s.requireServed(waiting, 1)
}

func TestReserve_ReleasedAndExpiredEntriesGoToWhoWaits(t *testing.T) {
	t.Parallel()
	for _, end := range []func(s *scene, number uint64){
		func(s *scene, number uint64) { s.e.Release(s.now, number) },
		func(s *scene, _ uint64) { s.pass(3 * reservationLease) },
	} {
		s := newScene(t)
		listeners := s.notify(tx0, call.Available)
		s.write(tx0, 1)
		_, number := s.reserved()
		waiting := s.wait(take(tx0))
		end(s, number)
		s.requireServed(waiting, 1)
		s.requireEvents(listeners)
		require.Empty(t, s.e.Lost)
	}
}

// Waiting calls that reserve are served in their order among takes, one entry each.
func TestReserve_WaitsAsATakeDoes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first, second, third := s.wait(reserve()), s.wait(take(tx0)), s.wait(reserve())
	s.write(tx0, 1)
	s.requireServed(first, 1)
	require.NotZero(t, first.Got[0].Txn)
	s.requireWaiting(second)
	s.write(tx0, 2)
	s.requireServed(second, 2)
	s.write(tx0, 3)
	s.requireServed(third, 3)
}

// A take that is not to wait waits for the ends of reservations, and of nothing else.
func TestReserve_ATakeThatDoesNotWaitWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	locked := s.begin()
	s.write(tx0, 2)
	require.Equal(t, ok, s.find(take(locked, 2)))
	require.False(t, s.e.Reserved(take(tx0)))
	id, _ := s.reserved(1)
	require.True(t, s.e.Reserved(take(tx0)))
	require.False(t, s.e.Reserved(take(tx0, 2)), "a transaction is no reservation")
	require.False(t, s.e.Reserved(read(tx0)))

	q := take(tx0)
	w := s.e.ParkBriefly(q, nil)
	require.NotNil(t, w)
	require.Equal(t, []int{1}, s.found(takeOf(id)))
	s.requireEnded(w, call.ErrNoMatch)
}

// An update does not find a reserved entry locked.
func TestReserve_AnUpdateDisregardsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	id, _ := s.reserved()
	require.NoError(t, s.e.Update(s.now, under(tx0), call.Request{}, call.Change{ID: id, Row: stoneRow(5)}).Err)
	require.Equal(t, []int{5}, s.found(take(tx0)))
}

// What only a transaction can have needs no reservation.
func TestReserve_UnderATransaction(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.begin()
	s.write(a, 1)
	q := reserve()
	q.Txn = under(a)
	r := s.e.Find(s.now, q)
	require.NoError(t, r.Err)
	require.Zero(t, r.Entries[0].Txn)
	require.Equal(t, none, s.find(reserve(2)))
	waiting := reserve(2)
	waiting.Txn = under(a)
	w := s.wait(waiting)
	s.abort(a)
	s.requireEnded(w, call.ErrTxnEnded)
}
