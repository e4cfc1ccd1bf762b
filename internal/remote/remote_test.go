package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/remote"
	"github.com/gospaces/gospaces/txn"
)

var home = txn.Address{Space: "jobs", Partition: 3}

// connect starts a NATS server, and returns a connection to it.
func connect(t *testing.T) *nats.Conn {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
	})
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	require.True(t, srv.ReadyForConnections(time.Minute))
	conn, err := nats.Connect(srv.ClientURL())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// serve makes a partition of this process answer.
func serve(t *testing.T, conn *nats.Conn, p partition.Peer) *remote.Served {
	t.Helper()
	s, err := remote.Serve(conn, home, p)
	require.NoError(t, err)
	return s
}

// open returns an empty partition, as other processes ask it, and a function that begins a transaction in it.
func open(t *testing.T) (p partition.Peer, begin func() uint64) {
	t.Helper()
	h := partition.Alone(partition.New(partition.Config{Address: home}))
	require.NoError(t, h.Start(t.Context(), nil))
	t.Cleanup(func() { h.Close() })
	return h.Peer(), func() uint64 {
		c := &single{call.NewSingle(), 0}
		h.BeginTxn(c, 1, int64(time.Hour), call.Request{}, "")
		<-c.Done()
		require.NoError(t, c.Err())
		return c.number
	}
}

// single is the Caller of a call that grants one thing.
type single struct {
	call.Single
	number uint64
}

func (c *single) Reply(_ uint64, r *call.Result, lsn call.LSN, durable bool) {
	if r.Err == nil {
		c.number = r.Grants[0].ID
	}
	c.Settle(r.Err, lsn, durable)
}

// faulty is a partition some of whose steps fail.
type faulty struct {
	partition.Peer
	commit  func(ctx context.Context, number uint64) error
	outcome func(ctx context.Context, number uint64) (txn.Outcome, error)
	fate    func() (call.Fate, error)
}

func (f faulty) CommitTxn(ctx context.Context, number uint64) error {
	return f.commit(ctx, number)
}

func (f faulty) Outcome(ctx context.Context, number uint64) (txn.Outcome, error) {
	return f.outcome(ctx, number)
}

func (f faulty) Fate(ctx context.Context, number uint64) (call.Fate, error) {
	if f.fate == nil {
		return f.Peer.Fate(ctx, number)
	}
	return f.fate()
}

func TestPeer_StepsAndTheirErrors(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	p, begin := open(t)
	defer serve(t, conn, p).Close()
	far, ctx := remote.New(conn, home), t.Context()
	n := begin()
	o, err := far.Outcome(ctx, n)
	for errors.Is(err, call.ErrUnavailable) { // it does not ask for long, and this machine may be slow
		o, err = far.Outcome(ctx, n)
	}
	require.NoError(t, err)
	require.Equal(t, txn.Active, o)
	fate, err := far.Fate(ctx, n)
	require.NoError(t, err)
	require.Equal(t, call.Undecided, fate)
	require.NoError(t, far.CommitTxn(ctx, n))
	require.ErrorIs(t, far.CommitTxn(ctx, n), call.ErrTxnEnded)
	require.ErrorIs(t, far.AbortTxn(ctx, n), call.ErrTxnEnded)
	fate, err = far.Fate(ctx, n)
	require.NoError(t, err)
	require.Equal(t, call.Committed, fate)
	highest, err := far.Retire(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, txn.IDBase(home.Partition)+highest, n)

	open := begin()
	require.NoError(t, far.Enlist(ctx, open, txn.Branch{At: txn.Address{Space: "other"}}))
	_, err = far.Retire(ctx)
	require.ErrorIs(t, err, call.ErrInvalidArgument, "a transaction of others has a part there")
	require.NoError(t, far.AbortTxn(ctx, open))
	_, err = far.Retire(ctx)
	require.NoError(t, err)
}

// A step that a primary cannot take now, which it says, is asked for again; one that is refused is not.
func TestPeer_AsksAgainWhatMaySucceed(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, c := range []struct {
		err   error
		again bool
	}{
		{call.ErrNotReady, true},
		{call.ErrUnavailable, true},
		{call.ErrOutcomeUnknown, true},
		{call.ErrClosed, true},
		{call.ErrTxnEnded, false},
		{call.ErrInvalidArgument, false},
	} {
		asked := new(atomic.Int32)
		s := serve(t, conn, faulty{fate: func() (call.Fate, error) {
			if asked.Add(1) < 3 {
				return call.Unknown, c.err
			}
			return call.Committed, nil
		}})
		fate, err := remote.New(conn, home).Fate(t.Context(), 1)
		if c.again {
			require.NoError(t, err, c.err)
			require.Equal(t, call.Committed, fate)
		} else {
			require.ErrorIs(t, err, c.err)
		}
		s.Close()
	}
}

// From a partition that no node serves, and one whose node hangs, there is no answer: never an outcome.
func TestPeer_NoAnswerIsNoOutcome(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	_, err := remote.New(conn, home).Outcome(t.Context(), 1)
	require.ErrorIs(t, err, call.ErrUnavailable, "no node serves it")
	require.ErrorContains(t, err, "jobs#3")
	hangs := func(ctx context.Context, _ uint64) (txn.Outcome, error) {
		<-ctx.Done()
		return txn.Unknown, ctx.Err()
	}
	s := serve(t, conn, faulty{outcome: hangs})
	_, err = remote.New(conn, home).Outcome(t.Context(), 1)
	require.ErrorIs(t, err, call.ErrUnavailable)
	s.Close() // ends the step that hangs
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = remote.New(conn, home).Fate(ended, 1)
	require.ErrorIs(t, err, call.ErrUnavailable)
}

// A commit whose answer is lost, or late, is not taken for an abort when its home, asked again, says that the
// transaction has ended.
func TestCommitTxn_LostAnswers(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for name, c := range map[string]struct {
		commit func(p partition.Peer) func(ctx context.Context, number uint64) error
		want   error
	}{
		"committed, and the answer is lost": {func(p partition.Peer) func(context.Context, uint64) error {
			return func(ctx context.Context, number uint64) error {
				if err := p.CommitTxn(ctx, number); err != nil {
					return err
				}
				return call.ErrOutcomeUnknown
			}
		}, nil},
		"aborted, and the answer is lost": {func(p partition.Peer) func(context.Context, uint64) error {
			return func(ctx context.Context, number uint64) error {
				if err := p.AbortTxn(ctx, number); err != nil {
					return err
				}
				return call.ErrUnavailable
			}
		}, call.ErrTxnEnded},
		"the first one is lost": {func(p partition.Peer) func(context.Context, uint64) error {
			first := true
			return func(ctx context.Context, number uint64) error {
				if first {
					first = false
					return call.ErrNotReady
				}
				return p.CommitTxn(ctx, number)
			}
		}, nil},
	} {
		p, begin := open(t)
		s := serve(t, conn, faulty{Peer: p, commit: c.commit(p)})
		err := remote.New(conn, home).CommitTxn(t.Context(), begin())
		if c.want == nil {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, c.want, name)
		}
		s.Close()
	}
}

// What is no request, or is one of a newer version, is refused in words.
func TestServe_UnknownRequests(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	p, _ := open(t)
	s := serve(t, conn, p)
	for _, body := range []string{"", "{", `{"step":200}`} {
		m, err := conn.Request("gs.txn.jobs.3", []byte(body), time.Minute)
		require.NoError(t, err)
		var a struct {
			Error []byte
			Again bool
		}
		require.NoError(t, json.Unmarshal(m.Data, &a))
		require.NotEmpty(t, a.Error, body)
		require.False(t, a.Again, body)
	}
	s.Close()
	_, err := conn.Request("gs.txn.jobs.3", []byte("{}"), time.Minute)
	require.ErrorIs(t, err, nats.ErrNoResponders, "it was closed")
}
