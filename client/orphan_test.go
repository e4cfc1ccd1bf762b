package client_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// slow makes connections whose answers come late: not before open is called, and never if lose is called instead.
type slow struct{ shut atomic.Pointer[shutter] }

type shutter struct {
	opened chan struct{}
	lost   bool // set before opened is closed
}

type slowConn struct {
	net.Conn
	s *slow
}

func (s *slow) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	return slowConn{c, s}, err
}

func (s *slow) stop() {
	s.shut.Store(&shutter{opened: make(chan struct{})})
}

func (s *slow) open() { close(s.shut.Load().opened) }

func (s *slow) lose() {
	shut := s.shut.Swap(nil)
	shut.lost = true
	close(shut.opened)
}

func (c slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if shut := c.s.shut.Load(); shut != nil && err == nil {
		if <-shut.opened; shut.lost {
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// giveUp makes a call and gives it up once the server has executed it, as executed tells; it returns the call's error.
func (s *slow) giveUp(t *testing.T, call func(ctx context.Context) error, executed func() bool) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s.stop()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	require.Eventually(t, executed, time.Minute, time.Millisecond)
	cancel()
	return <-done
}

func slowClient(t *testing.T, n *node) (*slow, *client.Client, *client.Client) {
	s := new(slow)
	c, other := n.dial(client.Config{Dial: s.dial, Grace: time.Millisecond}), n.dial(client.Config{})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	return s, c, other
}

// The transaction of a take that was given up before its answer came does not keep the entry.
func TestOrphan_TakeTxnIsAborted(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	s, c, other := slowClient(t, n)
	err := s.giveUp(t, func(ctx context.Context) error {
		_, _, err := space.TakeTxn(ctx, c, job{}, space.For(time.Hour))
		return err
	}, func() bool { return countJobs(t, other) == 0 })
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, space.ErrOutcomeUnknown, "nothing comes of it")
	s.open()
	_, err = space.Take(t.Context(), other, job{})
	require.NoError(t, err)
}

func TestOrphan_BegunTransactionsAndRegistrationsEnd(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	s, c, other := slowClient(t, n)
	mark := begin(t, other).ID()
	next := func() space.CallID { return space.TxnCall(txn.ID{Space: mark.Space, Number: mark.Number + 1}) }
	fate := func(want space.Fate) func() bool {
		return func() bool {
			v, err := space.Outcome(t.Context(), other, next())
			return err == nil && v.Fate == want
		}
	}
	err := s.giveUp(t, func(ctx context.Context) error { _, err := space.Begin(ctx, c, space.For(time.Hour)); return err },
		fate(space.Undecided))
	require.ErrorIs(t, err, context.Canceled)
	s.open()
	require.Eventually(t, fate(space.Aborted), time.Minute, time.Millisecond)

	query := mustMatch(t, c, job{})
	registrations := func(want int) func() bool {
		return func() bool { return n.partition().Stats().Registrations == want }
	}
	err = s.giveUp(t, func(ctx context.Context) error { _, err := c.Notify(ctx, query, 0, space.Forever); return err },
		registrations(1))
	require.ErrorIs(t, err, context.Canceled)
	s.open()
	require.Eventually(t, registrations(0), time.Minute, time.Millisecond)
}

// A registration whose answer is lost with the session, and that was given up, ends as well.
func TestOrphan_RegistrationsEndAfterARestart(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	s, c, _ := slowClient(t, n)
	query := mustMatch(t, c, job{})
	registrations := func(want int) func() bool {
		return func() bool { return n.partition().Stats().Registrations == want }
	}
	err := s.giveUp(t, func(ctx context.Context) error { _, err := c.Notify(ctx, query, 0, space.Forever); return err },
		registrations(1))
	require.ErrorIs(t, err, context.Canceled)
	n.kill()
	s.lose()
	n.start()
	require.Eventually(t, registrations(0), time.Minute, time.Millisecond)
}

// mute makes connections over which nothing but the welcome arrives while it is on.
type mute struct{ on atomic.Bool }

type muteConn struct {
	net.Conn
	m     *mute
	reads int // owned by who reads
}

func (m *mute) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	return &muteConn{Conn: c, m: m}, err
}

func (c *muteConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if c.reads++; err != nil || c.reads == 1 || !c.m.on.Load() {
			return n, err
		}
	}
}

// The space is asked what has become of a call that was given up until it has answered, however many sessions that
// takes, and once in each.
func TestOutcome_IsAskedForInOneSessionAfterTheOther(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var m mute
	c := n.dial(client.Config{Dial: m.dial, Grace: time.Millisecond})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	m.on.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	before := n.partition().Stats().LSN
	go func() { _, err := space.Write(ctx, c, job{ID: 2}); done <- err }()
	require.Eventually(t, func() bool { return n.partition().Stats().LSN > before }, time.Minute, time.Millisecond)
	cancel()
	id := identityOf(t, <-done)
	for range 3 {
		n.kill()
		n.start()
		require.Eventually(t, func() bool { return n.srv.Stats().Frames > 0 }, time.Minute, time.Millisecond)
	}
	m.on.Store(false)
	n.kill()
	n.start()
	v, err := space.Outcome(t.Context(), c, id)
	require.NoError(t, err)
	require.Equal(t, space.Committed, v.Fate)
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "the client waits for an answer that another call has had")
	}
}

func identityOf(t *testing.T, err error) space.CallID {
	t.Helper()
	require.ErrorIs(t, err, space.ErrOutcomeUnknown)
	unknown, ok := errors.AsType[*space.OutcomeUnknownError](err)
	require.True(t, ok)
	require.False(t, unknown.ID.IsZero())
	parsed, err := space.ParseCallID(unknown.ID.String())
	require.NoError(t, err)
	require.Equal(t, unknown.ID, parsed)
	return unknown.ID
}

// A call that was given up has an outcome all the same, and its client learns it: when the answer comes late, or from
// the next session.
func TestOutcome_OfCallsThatWereGivenUp(t *testing.T) {
	t.Parallel()
	for name, comeBack := range map[string]func(n *node, s *slow){
		"the answer is late": func(_ *node, s *slow) { s.open() },
		"the session is lost": func(n *node, s *slow) {
			n.kill()
			s.lose()
			n.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, server.Config{})
			s, c, other := slowClient(t, n)
			jobs := func(want int) func() bool { return func() bool { return countJobs(t, other) == want } }

			took := identityOf(t,
				s.giveUp(t, func(ctx context.Context) error { _, err := space.Take(ctx, c, job{}); return err }, jobs(0)))
			comeBack(n, s)
			for range 2 {
				v, err := space.Outcome(t.Context(), c, took)
				require.NoError(t, err)
				require.Equal(t, space.Committed, v.Fate)
				require.Len(t, v.Entries, 1)
				got, err := space.Decode[job](v.Entries[0])
				require.NoError(t, err)
				require.Equal(t, job{ID: 1}, got)
			}

			require.Zero(t, countJobs(t, c), "the session knows the kind")
			wrote := identityOf(t, s.giveUp(t, func(ctx context.Context) error {
				_, err := space.WriteAll(ctx, c, []job{{ID: 2}, {ID: 3}}, space.For(time.Hour))
				return err
			}, jobs(2)))
			comeBack(n, s)
			v, err := space.Outcome(t.Context(), c, wrote)
			require.NoError(t, err)
			require.Equal(t, space.Committed, v.Fate)
			require.Len(t, v.Grants, 2)
			require.Equal(t, time.Hour, v.Grants[0].Granted)

			require.Equal(t, 2, countJobs(t, c), "the session knows the kind")
			tx := begin(t, c)
			require.NoError(t, space.Stage(t.Context(), tx, job{ID: 4}))
			id := identityOf(t, s.giveUp(t, tx.Commit, jobs(3)))
			require.Equal(t, space.TxnCall(tx.ID()), id)
			v, err = space.Outcome(t.Context(), other, id)
			require.NoError(t, err)
			require.Equal(t, space.Committed, v.Fate)
			comeBack(n, s)
			fate, err := tx.Outcome(t.Context())
			require.NoError(t, err)
			require.Equal(t, space.Committed, fate)
			require.NoError(t, tx.Commit(t.Context()), "it has committed, and once")
			require.Equal(t, 3, countJobs(t, other))
			require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded)
		})
	}
}

// What was not executed is told, too, and will never be.
func TestOutcome_OfCallsThatWereNotExecuted(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var stuck stuckDialer
	c := n.dial(client.Config{Dial: stuck.dial, Grace: time.Millisecond})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	stuck.stop()
	for patience := time.Millisecond; ; patience *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err = space.Write(ctx, c, job{ID: 2})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, space.ErrOutcomeUnknown) {
			break
		} // it ended before the call was sent
	}
	id := identityOf(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	v, err := space.Outcome(ctx, c, id)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, space.Undecided, v.Fate)
	n.kill()
	n.start()
	v, err = space.Outcome(t.Context(), c, id)
	require.NoError(t, err)
	require.Equal(t, space.Aborted, v.Fate)
	require.Equal(t, 1, countJobs(t, c))
}

// Other clients can ask what has become of the calls of one that is gone.
func TestOutcome_OfTheCallsOfOthers(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	s, c, other := slowClient(t, n)
	id := identityOf(t, s.giveUp(t, func(ctx context.Context) error { _, err := space.Take(ctx, c, job{}); return err },
		func() bool { return countJobs(t, other) == 0 }))
	v, err := space.Outcome(t.Context(), other, id)
	require.NoError(t, err)
	require.Equal(t, space.Committed, v.Fate)
	require.Len(t, v.Entries, 1)
	id.Number += 100
	v, err = space.Outcome(t.Context(), other, id)
	require.NoError(t, err)
	require.Equal(t, space.Unknown, v.Fate)
	id.Space = "another"
	_, err = space.Outcome(t.Context(), other, id)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	s.open()
}

// Those who wait to learn an outcome are let go when the client is closed.
func TestOutcome_CloseEndsIt(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	s, c, other := slowClient(t, n)
	id := identityOf(t, s.giveUp(t, func(ctx context.Context) error { _, err := space.Take(ctx, c, job{}); return err },
		func() bool { return countJobs(t, other) == 0 }))
	asked := make(chan space.Fate, 1)
	go func() { v, _ := space.Outcome(t.Context(), c, id); asked <- v.Fate }()
	go func() {
		time.Sleep(time.Millisecond)
		s.open()
	}()
	require.NoError(t, c.Close())
	require.Contains(t, []space.Fate{space.Unknown, space.Committed}, <-asked)
}
