package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func begin(t *testing.T, sp space.Space, opts ...space.LeaseOption) *space.Txn {
	t.Helper()
	tx, err := space.Begin(t.Context(), sp, opts...)
	require.NoError(t, err)
	return tx
}

func countJobs(t *testing.T, sp space.Space, opts ...space.CountOption) int {
	t.Helper()
	n, err := space.Count(t.Context(), sp, job{}, opts...)
	require.NoError(t, err)
	return n
}

func TestTxn_IsUsedFromOtherClientsByItsID(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	a, b := n.dial(client.Config{Conns: 3}), n.dial(client.Config{})
	tx := begin(t, a)
	require.Equal(t, txn.ID{Space: "default", Number: tx.ID().Number}, tx.ID())
	require.Equal(t, time.Minute, tx.Lease().Granted())
	for i := range int64(20) { // over all its connections
		_, err := space.Write(t.Context(), a, job{ID: i}, space.In(tx))
		require.NoError(t, err)
	}
	_, err := space.Write(t.Context(), b, job{}, space.In(tx))
	require.ErrorIs(t, err, space.ErrInvalidArgument, "a handle belongs to its client")
	theirs := space.TxnOf(b, tx.ID())
	require.Equal(t, 20, countJobs(t, b, space.In(theirs)))
	require.Zero(t, countJobs(t, b))
	require.NoError(t, space.Stage(t.Context(), theirs, job{ID: 20}))
	require.NoError(t, theirs.Commit(t.Context()))
	require.Equal(t, 21, countJobs(t, a))
	require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded)
	require.ErrorIs(t, tx.Abort(t.Context()), space.ErrTxnEnded)

	tx = begin(t, a.SpaceNamed("orders"))
	theirs = space.TxnOf(b, tx.ID())
	_, err = theirs.Lease().Renew(t.Context(), time.Hour)
	require.NoError(t, err)
	require.NoError(t, tx.Abort(t.Context()))
	_, err = theirs.Lease().Renew(t.Context(), time.Hour)
	require.ErrorIs(t, err, space.ErrLeaseEnded, "the lease is that of the space in which it began")
	tx = begin(t, b)
	require.Equal(t, tx.ID(), space.TxnOf(b, txn.ID{Number: tx.ID().Number}).ID())
}

func TestTxn_CallsAboutItReachTheServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	leases, err := space.WriteAll(t.Context(), c, []job{{ID: 1}, {ID: 2}, {ID: 3}})
	require.NoError(t, err)
	tx := begin(t, c, space.For(time.Hour))
	_, err = space.TakeAll(t.Context(), c, job{}, 3, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context(), leases[1].ID(), leases[2].ID()))
	require.Equal(t, 1, countJobs(t, c))
	require.ErrorIs(t, tx.Defer(t.Context(), leases[0].ID(), 0), space.ErrNoMatch)
	require.NoError(t, tx.Defer(t.Context(), leases[1].ID(), time.Millisecond))
	require.NoError(t, tx.Commit(t.Context()))
	q := mustMatch(t, c, job{})
	q.ID = leases[1].ID()
	require.Eventually(t, func() bool {
		found, err := c.Read(t.Context(), q)
		return err == nil && found[0].Attempts == 1 && found[0].ID == q.ID
	}, time.Minute, time.Millisecond)

	version, err := space.Replace(t.Context(), c, leases[0].ID(), 1, job{ID: 10})
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
	_, err = space.Replace(t.Context(), c, leases[0].ID(), 1, job{ID: 11})
	require.ErrorIs(t, err, space.ErrVersionConflict)
	sum, err := space.Add(t.Context(), c, job{ID: 10}, "id", -3)
	require.NoError(t, err)
	require.EqualValues(t, 7, sum)
	_, err = space.Write(t.Context(), c, job{ID: 12}, space.Delay(time.Hour))
	require.NoError(t, err)
	_, err = space.WriteAll(t.Context(), c, []job{{ID: 13}}, space.Delay(time.Millisecond), space.For(time.Hour))
	require.NoError(t, err)
	_, err = space.Take(t.Context(), c, job{ID: 13})
	require.NoError(t, err)
	require.Equal(t, 2, countJobs(t, c))
	_, err = space.TakeID[job](t.Context(), c, leases[0].ID())
	require.NoError(t, err)

	for _, err := range []error{
		c.Abort(t.Context(), txn.ID{}),
		c.Defer(t.Context(), tx.ID(), 1, -1),
		c.Rollback(t.Context(), txn.ID{Space: "default"}),
	} {
		require.ErrorIs(t, err, space.ErrInvalidArgument)
	}
	_, err = c.Begin(t.Context(), -1)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorIs(t, c.Rollback(t.Context(), tx.ID(), make([]space.LeaseID, 1<<17)...), space.ErrTooLarge)
	_, err = c.Update(t.Context(), txn.ID{}, space.Change{ID: 1, Kind: "never written"})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = c.Write(t.Context(), txn.ID{}, []space.Draft{{Kind: "job", Delay: -1}})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	q = space.Query{Templates: []*template.Template{{Kind: "never written"}}, NoWait: true, Txn: tx.ID()}
	_, err = c.Take(t.Context(), q)
	require.ErrorIs(t, err, space.ErrTxnEnded)
}

func TestTakeTxn_LeaseCountsFromTheEndOfTheWait(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	const lease = 10 * time.Second
	type taken struct {
		tx  *space.Txn
		err error
	}
	got := make(chan taken, 1)
	sent := time.Now()
	go func() {
		_, tx, err := space.TakeTxn(t.Context(), c, job{}, space.For(lease))
		got <- taken{tx, err}
	}()
	n.awaitWaiting("default", 1)
	parked := time.Now()
	<-time.After(20 * time.Millisecond) // of waiting
	written := time.Now()
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	r := <-got
	require.NoError(t, r.err)
	begun := r.tx.Lease().Expires().Add(-lease)
	require.False(t, begun.Before(sent.Add(written.Sub(parked))), "it does not count the wait")
	require.False(t, begun.After(time.Now()))
	require.NoError(t, r.tx.Abort(t.Context()))
	require.Equal(t, 1, countJobs(t, c))
}

// The transactions of a client that is gone are aborted, at once if it says goodbye.
func TestTxn_EndsWithItsSession(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	other := n.dial(client.Config{})
	_, err := space.WriteAll(t.Context(), other, []job{{ID: 1}, {ID: 2}, {ID: 3}})
	require.NoError(t, err)
	c := n.dial(client.Config{})
	_, err = space.Take(t.Context(), c, job{ID: 1}, space.In(begin(t, c)))
	require.NoError(t, err)
	_, _, err = space.TakeTxn(t.Context(), c, job{ID: 2})
	require.NoError(t, err)
	_, done, err := space.TakeTxn(t.Context(), c, job{ID: 3})
	require.NoError(t, err)
	require.NoError(t, done.Commit(t.Context()))
	require.Zero(t, countJobs(t, other))
	require.NoError(t, c.Close())
	for id := range int64(2) {
		_, err = space.Take(t.Context(), other, job{ID: id + 1})
		require.NoError(t, err)
	}
	require.Zero(t, countJobs(t, other))
}

// A transaction lives on while its client is away for a moment, and so do the calls that wait under it.
func TestTxn_SurvivesALostConnection(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	other := n.dial(client.Config{})
	var f faults
	f.calm.Store(true)
	c := n.dial(client.Config{Dial: f.dial})
	tx, ended := begin(t, c), begin(t, c)
	_, err := space.Write(t.Context(), c, job{ID: 1}, space.In(tx))
	require.NoError(t, err)
	waits := map[*space.Txn]chan error{tx: make(chan error, 1), ended: make(chan error, 1)}
	for under, done := range waits {
		go func() {
			_, err := space.Take(t.Context(), c, job{ID: 2}, space.In(under))
			done <- err
		}()
	}
	n.awaitWaiting("default", 2)
	f.refuse.Store(true)
	n.dropConnections()
	n.awaitWaiting("default", 0)
	require.NoError(t, space.TxnOf(other, ended.ID()).Abort(t.Context()))
	f.refuse.Store(false)
	require.ErrorIs(t, <-waits[ended], space.ErrTxnEnded)
	n.awaitWaiting("default", 1)
	_, err = space.Write(t.Context(), other, job{ID: 2})
	require.NoError(t, err)
	require.NoError(t, <-waits[tx])
	require.Zero(t, countJobs(t, other), "both are locked")
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 1, countJobs(t, other))
}

// A transaction outlasts its session, since its client comes back. Reads under it are made again, but a call that may
// have taken place or not ends it.
func TestTxn_OutlastsItsSession(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var f faults
	f.calm.Store(true)
	c, other := n.dial(client.Config{Dial: f.dial}), n.dial(client.Config{})
	write := func(id int64) {
		_, err := space.Write(t.Context(), other, job{ID: id})
		require.NoError(t, err)
	}
	lose := func(call func(in space.TxnOption) error) (*space.Txn, chan error) {
		tx := begin(t, c)
		got := make(chan error, 1)
		go func() { got <- call(space.In(tx)) }()
		n.awaitWaiting("default", 1)
		f.refuse.Store(true)
		n.dropConnections()
		n.awaitWaiting("default", 0)
		n.kill()
		n.start()
		f.refuse.Store(false)
		return tx, got
	}

	tx, got := lose(func(in space.TxnOption) error { _, err := space.Read(t.Context(), c, job{}, in); return err })
	n.awaitWaiting("default", 1)
	write(1)
	require.NoError(t, <-got)
	_, err := space.Take(t.Context(), c, job{}, space.In(tx))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))

	for id := range int64(20) {
		write(10 + id)
		tx, got = lose(func(in space.TxnOption) error {
			if _, err := space.Take(t.Context(), c, job{ID: 10 + id}, in); err != nil {
				return err
			}
			_, err := space.Take(t.Context(), c, job{}, in)
			return err
		})
		require.ErrorIs(t, <-got, space.ErrTxnEnded)
		_, err = space.Take(t.Context(), other, job{ID: 10 + id}, space.NoWait())
		require.NoError(t, err, "who is told that it has ended finds its locks gone")
		require.ErrorIs(t, space.TxnOf(other, tx.ID()).Abort(t.Context()), space.ErrTxnEnded)
		require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded)
	}

	tx, got = lose(func(space.TxnOption) error {
		_, tx, err := space.TakeTxn(t.Context(), c, job{})
		if err == nil {
			err = tx.Commit(t.Context())
		}
		return err
	})
	n.awaitWaiting("default", 1)
	write(2)
	require.NoError(t, <-got)
	require.NoError(t, tx.Commit(t.Context()))
	require.Zero(t, countJobs(t, c))
}

// A TakeTxn whose answer is lost is made again once what it has begun is gone: it finds the same entry, whichever
// connection it uses.
func TestTakeTxn_FindsWhatItHadTakenWhenItsAnswerWasLost(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	other := n.dial(client.Config{})
	var d deaf
	c := n.dial(client.Config{Dial: d.dial, Conns: 2})
	for id := range int64(10) {
		_, err := space.Write(t.Context(), other, job{ID: id + 1})
		require.NoError(t, err)
		for range 50 { // on both connections
			require.Equal(t, 1, countJobs(t, c))
		}
		err = d.lose(t, n, c, func() error {
			_, tx, err := space.TakeTxn(t.Context(), c, job{ID: id + 1}, space.NoWait())
			if err != nil {
				return err
			}
			return tx.Commit(t.Context())
		}, func() {})
		require.NoError(t, err)
		require.Zero(t, countJobs(t, other))
	}
}
