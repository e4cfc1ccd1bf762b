package partition_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// operation is a call that changes something and can be repeated.
type operation struct {
	name string
	do   func(p *partition.Partition, c *caller, callID uint64, by call.Request, lease uint64)
}

// operations concern a job with key 1, which has a lease and is the only one.
var operations = []operation{
	{"write", func(p *partition.Partition, c *caller, callID uint64, by call.Request, _ uint64) {
		p.Write(c, callID, txn.ID{}, by, append(draft(2), call.Draft{Kind: 1, Row: rowOf(3), Lease: int64(time.Hour)}))
	}},
	{"take", func(p *partition.Partition, c *caller, callID uint64, by call.Request, _ uint64) {
		q := query(1, true)
		q.By = by
		p.Find(c, callID, q, 0)
	}},
	{"waiting take", func(p *partition.Partition, c *caller, callID uint64, by call.Request, _ uint64) {
		q := query(4, true)
		q.By = by
		p.Find(c, callID, q, -1)
		p.Write(newCaller(), 1, txn.ID{}, call.Request{}, draft(4))
	}},
	{"renew", func(p *partition.Partition, c *caller, callID uint64, by call.Request, lease uint64) {
		p.Renew(c, callID, by, int64(time.Minute), []uint64{lease, 1 << 40})
	}},
	{"cancel", func(p *partition.Partition, c *caller, callID uint64, by call.Request, lease uint64) {
		p.Cancel(c, callID, by, []uint64{1 << 40, lease})
	}},
	{"notify", func(p *partition.Partition, c *caller, callID uint64, by call.Request, _ uint64) {
		q := query(5, false)
		q.By = by
		p.Notify(c, callID, q, call.Events(call.Written), int64(time.Hour))
	}},
}

var client = call.Client{1}

// prepared returns a partition of log with a job under a lease, and a session.
func prepared(t *testing.T, log partition.Log) (p *partition.Partition, session, lease uint64) {
	t.Helper()
	p = start(t, log)
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: rowOf(1), Lease: int64(time.Hour)}})
	require.NoError(t, c.await(1).err)
	return p, open(t, p, client, 0), c.await(1).grants[0].ID
}

func open(t *testing.T, p *partition.Partition, client call.Client, before uint64) uint64 {
	t.Helper()
	session, lost, err := p.OpenSession(client, before)
	require.NoError(t, err)
	require.False(t, lost)
	return session
}

// requireRecalled repeats a call and checks that it has the same outcome.
func requireRecalled(t *testing.T, p *partition.Partition, by call.Request, want *outcome) {
	t.Helper()
	c := newCaller()
	had, err := p.Recall(c, 1, by)
	require.NoError(t, err)
	require.True(t, had)
	got := c.await(1)
	require.Equal(t, want.err, got.err)
	require.Equal(t, want.grants, got.grants)
	require.Equal(t, want.entries, got.entries)
	require.Equal(t, want.errs, got.errs)
	require.Equal(t, want.seq, got.seq)
}

func TestRecall_EveryCallThatChangesSomething(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			log := openLog(t)
			p, session, lease := prepared(t, log)
			by := call.Request{Session: session, Number: 7}
			c := newCaller()
			op.do(p, c, 7, by, lease)
			want := c.await(7)
			require.NoError(t, want.err)
			hash := p.Hash()
			requireRecalled(t, p, by, want)
			require.Equal(t, hash, p.Hash(), "nothing is done twice")
			require.NoError(t, p.Close())

			again := start(t, log)
			require.Equal(t, hash, again.Hash())
			require.Equal(t, session, open(t, again, client, session))
			requireRecalled(t, again, by, want)
			require.Equal(t, hash, again.Hash())
			had, err := again.Recall(c, 8, call.Request{Session: session, Number: 8})
			require.NoError(t, err)
			require.False(t, had)
		})
	}
}

// After a failed append the outcome is open; a repeat finds out.
func TestRecall_AfterTheLogHasFailed(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{false, true} {
		for _, op := range operations {
			log := openLog(t)
			p, session, lease := prepared(t, log)
			other := open(t, p, call.Client{2}, 0)
			var once sync.Once
			fail := func() (err error) {
				once.Do(func() { err = errInjected })
				return err
			}
			if landed {
				log.set(nil, fail)
			} else {
				log.set(fail, nil)
			}
			by := call.Request{Session: session, Number: 7}
			c := newCaller()
			op.do(p, c, 7, by, lease)
			require.ErrorIs(t, c.await(7).err, call.ErrOutcomeUnknown)
			if _, err := p.Recall(c, 8, by); err != nil {
				require.ErrorIs(t, err, call.ErrUnavailable)
			}
			require.Eventually(t, func() bool { return p.Stats().Err == nil }, time.Minute, time.Millisecond)

			require.Equal(t, session, open(t, p, client, session))
			require.Equal(t, other, open(t, p, call.Client{2}, other))
			n := newCaller()
			had, err := p.Recall(n, 1, by)
			require.NoError(t, err)
			require.Equal(t, landed, had, op.name)
			if had {
				require.NoError(t, n.await(1).err)
				continue
			}
			op.do(p, n, 2, by, lease)
			requireRecalled(t, p, by, n.await(2))
			require.Equal(t, p.Hash(), rebuilt(t, log))
		}
	}
}

// losable is a log that can get lost.
type losable struct {
	*gate
	lost atomic.Bool
}

func (l *losable) Load(
	ctx context.Context, records func([]byte) error, progress func(done, total uint64),
) (uint64, record.Clock, error) {
	if l.lost.Load() {
		return 0, record.Clock{}, replication.ErrGone
	}
	return l.gate.Load(ctx, records, progress)
}

// If the log is lost an outcome stays open.
func TestRecall_FromALostLog(t *testing.T) {
	t.Parallel()
	log := &losable{gate: openLog(t)}
	p, session, _ := prepared(t, log)
	log.set(func() error { return errInjected }, nil)
	log.lost.Store(true)
	c, by := newCaller(), call.Request{Session: session, Number: 7}
	p.Write(c, 7, txn.ID{}, by, draft(2))
	require.ErrorIs(t, c.await(7).err, call.ErrOutcomeUnknown)
	require.Eventually(t, func() bool {
		_, err := p.Recall(c, 8, by)
		return errors.Is(err, call.ErrLogLost)
	}, time.Minute, time.Millisecond)
}

func TestReceived_ForgetsOutcomes(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p, session, _ := prepared(t, log)
	c := newCaller()
	var received partition.LSN
	for callID := uint64(1); callID <= 10; callID++ {
		p.Write(c, callID, txn.ID{}, call.Request{Session: session, Number: callID}, draft(int64(callID)))
		require.NoError(t, c.await(callID).err)
		if callID == 5 {
			received = c.await(callID).lsn
		}
	}
	p.Received(session, received)
	for callID := uint64(1); callID <= 10; callID++ {
		had, err := p.Recall(newCaller(), callID, call.Request{Session: session, Number: callID})
		require.NoError(t, err)
		require.Equal(t, callID > 5, had)
	}
	hash := p.Hash()
	require.NoError(t, p.Close())
	require.Equal(t, hash, rebuilt(t, log))
}

func TestCloseSession_WaitsForTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := partition.New(partition.Config{SessionGrace: time.Minute})
		require.NoError(t, p.Start(t.Context(), nil))
		defer p.Close()
		c := newCaller()
		p.Register(c, 1, job)
		by := call.Request{Session: open(t, p, client, 0), Number: 1}
		p.Write(c, 2, txn.ID{}, by, draft(1))
		want := c.await(2)

		p.CloseSession(by.Session, false)
		time.Sleep(59 * time.Second)
		require.Equal(t, by.Session, open(t, p, client, by.Session))
		time.Sleep(time.Hour)
		requireRecalled(t, p, by, want)

		require.Equal(t, by.Session, open(t, p, client, by.Session), "by another connection")
		p.CloseSession(by.Session, true)
		time.Sleep(time.Hour)
		requireRecalled(t, p, by, want)

		p.CloseSession(by.Session, false)
		time.Sleep(61 * time.Second)
		requireRecalled(t, p, by, &outcome{err: call.ErrOutcomeUnknown})
		session, lost, err := p.OpenSession(client, by.Session)
		require.NoError(t, err)
		require.True(t, lost)
		require.NotEqual(t, by.Session, session)
	})
}

func TestCloseSession_GoodbyeEndsItAtOnce(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p, session, _ := prepared(t, log)
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{Session: session, Number: 1}, draft(1))
	require.NoError(t, c.await(1).err)
	p.CloseSession(session, true)
	requireRecalled(t, p, call.Request{Session: session, Number: 1}, &outcome{err: call.ErrOutcomeUnknown})
	next, lost, err := p.OpenSession(client, session)
	require.NoError(t, err)
	require.False(t, lost, "it said that it had everything")
	require.NotEqual(t, session, next)
	hash := p.Hash()
	require.NoError(t, p.Close())
	require.Equal(t, hash, rebuilt(t, log))
}

// A restarted partition waits for its clients to come back, for a limited time.
func TestStart_SessionsOfTheLogEnd(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p, session, _ := prepared(t, log)
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{Session: session, Number: 1}, draft(1))
	require.NoError(t, c.await(1).err)
	require.NoError(t, p.Close())

	again := partition.New(partition.Config{Log: log, SessionGrace: time.Millisecond})
	require.NoError(t, again.Start(t.Context(), nil))
	defer again.Close()
	require.Eventually(t, func() bool {
		had, err := again.Recall(newCaller(), 1, call.Request{Session: session, Number: 2})
		return had && err == nil // a call that was not executed can be repeated until the session has ended
	}, time.Minute, time.Millisecond)
	_, lost, err := again.OpenSession(client, session)
	require.NoError(t, err)
	require.True(t, lost)
}

// After a restart a client that does not come back first loses its transactions, and later the outcomes of its calls.
func TestStart_TransactionsOfTheLogEndBeforeTheirSessions(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"its client comes back": true, "its client does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, p, d := newDesk(t)
				session := open(t, p, client, 0)
				require.NoError(t,
					d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, draft(1)) }).err)
				q := query(1, true)
				q.Begin, q.Lease, q.By = true, int64(time.Hour), call.Request{Session: session, Number: 1}
				require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Find(c, n, q, 0) }).err)
				require.NoError(t, p.Close())

				again := partition.New(partition.Config{Log: log, SessionGrace: 2 * time.Minute, TxnGrace: 30 * time.Second})
				require.NoError(t, again.Start(t.Context(), nil))
				defer again.Close()
				count := func() int {
					return d.do(func(c partition.Caller, n uint64) { again.Count(c, n, query(1, false)) }).count
				}
				time.Sleep(29 * time.Second)
				require.Zero(t, count())
				if back {
					require.Equal(t, session, open(t, again, client, session))
					time.Sleep(time.Minute)
					require.Zero(t, count(), "it is in the hands of its client")
					return
				}
				time.Sleep(2 * time.Second)
				require.Equal(t, 1, count())
				require.Equal(t, 1, again.Stats().Sessions)
				time.Sleep(2 * time.Minute)
				require.Zero(t, again.Stats().Sessions)
			})
		})
	}
}

// After a restart all sessions wait for their clients at the same time; some come back before their transactions end,
// and some after.
func TestStart_ManySessionsOfTheLogEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, p, d := newDesk(t)
		const n = 300
		var sessions []uint64
		for i := range uint64(n) {
			session := open(t, p, call.Client{1, byte(i), byte(i >> 8)}, 0)
			sessions = append(sessions, session)
			require.NoError(t,
				d.do(func(c partition.Caller, k uint64) { p.Write(c, k, txn.ID{}, call.Request{}, draft(int64(i))) }).err)
			q := query(int64(i), true)
			q.Begin, q.Lease, q.By = true, int64(time.Hour), call.Request{Session: session, Number: 1}
			require.NoError(t, d.do(func(c partition.Caller, k uint64) { p.Find(c, k, q, 0) }).err)
			by := call.Request{Session: session, Number: 2}
			require.NoError(t, d.do(func(c partition.Caller, k uint64) { p.Write(c, k, txn.ID{}, by, draft(n)) }).err)
		}
		require.NoError(t, p.Close())

		again := partition.New(partition.Config{Log: log, SessionGrace: 2 * time.Minute, TxnGrace: 30 * time.Second})
		require.NoError(t, again.Start(t.Context(), nil))
		defer again.Close()
		free := func() (jobs int) {
			for i := range int64(n) {
				jobs += d.do(func(c partition.Caller, k uint64) { again.Count(c, k, query(i, false)) }).count
			}
			return jobs
		}
		back := func(of []uint64) {
			for i, session := range sessions {
				if slices.Contains(of, session) {
					open(t, again, call.Client{1, byte(i), byte(i >> 8)}, session)
				}
			}
		}
		time.Sleep(29 * time.Second)
		require.Zero(t, free())
		back(sessions[:n/3])
		time.Sleep(2 * time.Second)
		require.Equal(t, n-n/3, free())
		back(sessions[n/3 : n/2])
		again.CloseSession(sessions[0], false) // it is away anew
		time.Sleep(29 * time.Second)
		require.Equal(t, n-n/3, free())
		time.Sleep(2 * time.Second)
		require.Equal(t, n-n/3+1, free())
		require.Equal(t, n, again.Stats().Sessions)
		time.Sleep(time.Minute)
		require.Equal(t, n/2, again.Stats().Sessions)
		time.Sleep(time.Minute)
		require.Equal(t, n/2-1, again.Stats().Sessions)
		require.Equal(t, n-n/3+1, free())
	})
}

// Many transactions of a leaving client end in steps, and every entry is back in its old place.
func TestCloseSession_EndsManyTransactionsInSteps(t *testing.T) {
	t.Parallel()
	const n = 5000
	p, c := crowd(t, n)
	session, _, err := p.OpenSession(call.Client{7}, 0)
	require.NoError(t, err)
	all := unequal(-1)
	all.Max = n
	for callID := uint64(10); callID < 12; callID++ {
		q := *all
		q.Take, q.Begin, q.Lease, q.By = true, true, call.Forever, call.Request{Session: session, Number: callID}
		p.Find(c, callID, &q, 0)
		require.NoError(t, c.await(callID).err)
	}
	p.CloseSession(session, true)
	last := query(0, true) // is the last to come back
	p.Find(c, 20, last, -1)
	require.NoError(t, c.await(20).err)
	q := *all
	p.Find(c, 21, &q, 0)
	found := c.await(21).entries
	require.Len(t, found, call.MaxFind)
	for i, v := range found {
		require.Equal(t, rowOf(int64(i+1)), v.Row)
	}
}
