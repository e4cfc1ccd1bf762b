package partition_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// match is two partitions that take over from each other, each with a reader of its own, whatever its role is. A
// partition is one counter: a read that begins after a write was acknowledged, wherever that was, must count it.
type match struct {
	parts []*partition.Partition
	stop  func(i int, stored bool) (open func()) // makes the appends of a partition stand still
	pause time.Duration                          // between two calls of one caller

	written atomic.Int64 // acknowledged writes
	next    atomic.Int64
	reads   atomic.Int64 // that were answered
	stale   atomic.Int64
	over    atomic.Bool
	done    sync.WaitGroup
}

// write writes an entry, and reports whether that is acknowledged.
func (m *match) write(p *partition.Partition) bool {
	if write(p, m.next.Add(1)) != nil {
		return false
	}
	m.written.Add(1)
	return true
}

// read begins to count the entries of a partition. finish blocks until that has an outcome.
func (m *match) read(p *partition.Partition) (finish func()) {
	before := m.written.Load()
	c := newCaller()
	p.Count(c, 1, &call.Query{Max: 1, Templates: []call.Template{{Kind: 1}}})
	return func() {
		o := c.await(1)
		if o.err != nil {
			return
		}
		m.reads.Add(1)
		if int64(o.count) < before {
			m.stale.Add(1)
		}
	}
}

// round makes another partition the primary while the old one stands still, with an append under way that is stored or
// not, and on which the reads depend or not. The old one learns of it when the new one has written.
func (m *match) round(t *testing.T, old int, stored, depend bool) {
	p, q := m.parts[old], m.parts[1-old]
	for range 3 {
		require.True(t, m.write(p))
		time.Sleep(m.pause)
	}
	open := m.stop(old, stored)
	under := draft(m.next.Add(1))
	if !depend {
		under[0].Kind = 2
	}
	p.Write(newCaller(), 1, txn.ID{}, call.Request{}, under)
	for q.Lead(t.Context()) != nil {
		time.Sleep(m.pause)
	}
	for range 10 {
		require.True(t, m.write(q))
		time.Sleep(m.pause)
	}
	finish := m.read(p)
	open()
	finish()
	require.Error(t, p.VerifyPrimary(t.Context()))
	require.Eventually(t, func() bool { return partition.RoleOf(p) == "follower" }, time.Minute, m.pause)
}

func (m *match) play(t *testing.T, rounds int) {
	c, other := newCaller(), *job
	other.Kind = "other"
	m.parts[0].Register(c, 1, &other)
	require.NoError(t, c.await(1).err)
	for _, p := range m.parts {
		m.done.Go(func() {
			for !m.over.Load() {
				m.read(p)()
				time.Sleep(m.pause)
			}
		})
	}
	for i := range rounds {
		m.round(t, i%2, i/2%2 == 0, i/4%2 == 1)
	}
	m.over.Store(true)
	m.done.Wait()
}

// playInBubble plays a match by a clock of its own, so that its course is always the same.
func playInBubble(t *testing.T, lease, patience time.Duration, rounds int) (m *match) {
	synctest.Test(t, func(t *testing.T) {
		b := newPair(t, lease, patience)
		defer b.close(t)
		m = &match{
			parts: b.parts[:], pause: 5 * time.Millisecond,
			stop: func(i int, stored bool) func() { return b.pages[i].stop(stored) },
		}
		m.play(t, rounds)
	})
	return m
}

// A primary that stood still while another took over never answers from the state that it had. With settings that are
// wrong it does, so this test would notice.
func TestReadLease_ReplacedPrimaryGivesNoStaleAnswer(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	m := playInBubble(t, 150*ms, 250*ms, 40)
	require.Zero(t, m.stale.Load())
	require.Greater(t, m.reads.Load(), int64(300))
	m = playInBubble(t, 5*time.Second, 20*ms, 4)
	require.Greater(t, m.stale.Load(), int64(10), "the lease is longer than the candidate waits")
	m = playInBubble(t, 150*ms, 100*ms, 4)
	require.Positive(t, m.stale.Load(), "likewise, by little")
	m = playInBubble(t, 0, 250*ms, 4)
	require.Greater(t, m.stale.Load(), int64(10), "there is no lease")
}

// The same on a log of the server, by the clock of the machine.
func TestReadLease_ReplacedPrimaryGivesNoStaleAnswerOnAServersLog(t *testing.T) {
	t.Parallel()
	k := newCrewWith(t, partition.Config{Lease: 30 * time.Millisecond, Patience: 50 * time.Millisecond}, 0, 0)
	m := &match{
		pause: time.Millisecond,
		stop: func(i int, stored bool) func() {
			if !stored {
				return k.views[i].shut(t)
			}
			shut := make(chan struct{})
			k.views[i].set(nil, func() error { <-shut; return nil })
			return sync.OnceFunc(func() { close(shut) })
		},
	}
	for _, v := range k.views {
		m.parts = append(m.parts, v.p)
	}
	m.play(t, 12)
	require.Zero(t, m.stale.Load())
	require.Positive(t, m.reads.Load())
}

// The first read after the lease has ended goes through one message without changes, and many reads at once share one.
// While no one reads there are none, and under writes there are none but theirs.
func TestReadLease_IdlePrimaryAsksTheLogOnceForManyReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newPair(t, 150*time.Millisecond, 250*time.Millisecond)
		defer b.close(t)
		p, log := b.parts[0], b.pages[0]
		before := log.appends.Load()
		appended := func() int64 {
			n := log.appends.Load() - before
			before += n
			return n
		}
		time.Sleep(time.Hour)
		require.Zero(t, appended(), "no one reads")

		require.ErrorIs(t, find(p, query(1, false), 0), call.ErrNoMatch)
		require.EqualValues(t, 1, appended())
		for range 10 {
			require.ErrorIs(t, find(p, query(1, false), 0), call.ErrNoMatch)
			time.Sleep(14 * time.Millisecond)
		}
		require.Zero(t, appended(), "the lease lasts")

		time.Sleep(time.Second)
		c := newCaller()
		p.Begin()
		for i := range uint64(100) {
			p.Find(c, i, query(1, false), 0)
		}
		p.End()
		for i := range uint64(100) {
			require.ErrorIs(t, c.await(i).err, call.ErrNoMatch)
		}
		require.EqualValues(t, 1, appended())

		time.Sleep(time.Second)
		open := log.stop(false)
		for i := range uint64(100) { // the first is under way, which the others must not rely on
			p.Find(c, 100+i, query(1, false), 0)
			synctest.Wait()
			require.True(t, c.held(100+i))
		}
		open()
		for i := range uint64(100) {
			require.ErrorIs(t, c.await(100+i).err, call.ErrNoMatch)
		}
		require.EqualValues(t, 2, appended())

		anything := &call.Query{Max: 1, Templates: []call.Template{{Kind: 1}}} // no index begins, which is a message as well
		for key := range int64(100) {
			require.NoError(t, write(p, key))
			time.Sleep(20 * time.Millisecond)
			require.NoError(t, find(p, anything, 0))
		}
		require.EqualValues(t, 100, appended(), "those of the writes")
		synctest.Wait()
		require.Equal(t, p.Hash(), b.parts[1].Hash())
	})
}

// The lease is counted from the sending of a message, not from its acknowledgement, and by both clocks.
func TestReadLease_CountsFromTheSending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64 // of the wall clock
		l := &page{ledger: &ledger{news: make(chan struct{})}}
		p := partition.New(partition.Config{
			Log: l, Lease: 150 * time.Millisecond,
			Wall: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		})
		require.NoError(t, p.Start(t.Context(), nil))
		defer p.Close()
		registerJob(p)
		time.Sleep(time.Second)
		l.hook(func() { time.Sleep(100 * time.Millisecond) }, nil)
		reads := func() (asked bool) {
			n := l.appends.Load()
			require.ErrorIs(t, find(p, query(1, false), 0), call.ErrNoMatch)
			return l.appends.Load() > n
		}
		require.True(t, reads())
		time.Sleep(49 * time.Millisecond)
		require.False(t, reads())
		time.Sleep(time.Millisecond)
		require.True(t, reads())
		require.False(t, reads())
		ahead.Store(int64(time.Second)) // the machine was suspended
		require.True(t, reads())
		require.False(t, reads())
		ahead.Store(0) // the clock was set back, which does not prolong the lease
		require.False(t, reads())
		time.Sleep(50 * time.Millisecond)
		require.True(t, reads())
	})
}

// A primary whose append is not acknowledged does not count as serving after a second.
func TestServing_NotWhileAppendsAreNotAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newPair(t, 150*time.Millisecond, 250*time.Millisecond)
		defer b.close(t)
		p := b.parts[0]
		serves := func() bool {
			_, ok := p.Serving()
			return ok
		}
		time.Sleep(time.Hour)
		require.True(t, serves())
		open := b.pages[0].stop(true)
		c := newCaller()
		p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
		synctest.Wait()
		time.Sleep(time.Second)
		require.True(t, serves())
		time.Sleep(time.Millisecond)
		require.False(t, serves())
		open()
		require.NoError(t, c.await(1).err)
		require.True(t, serves())
	})
}

// A candidate claims when no other can have a lease: a while after the last message that it has applied, at once after
// a resignation.
func TestLead_WaitsUntilNoOtherHasALease(t *testing.T) {
	t.Parallel()
	const wait = 250 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		b := newPair(t, 150*time.Millisecond, wait)
		defer b.close(t)
		p, q := b.parts[0], b.parts[1]
		require.Len(t, b.pages[0].claims, 1, "the log was empty")
		var told sync.WaitGroup
		lead := func(p *partition.Partition) *error {
			err := new(error)
			told.Go(func() { *err = p.Lead(t.Context()) })
			synctest.Wait()
			return err
		}
		time.Sleep(time.Hour)
		require.NoError(t, write(p, 1))
		wrote := time.Now()
		time.Sleep(100 * time.Millisecond)
		lead(q)
		require.Equal(t, "follower", partition.RoleOf(q))
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, write(p, 2), "it follows meanwhile")
		synctest.Wait()
		require.Equal(t, p.Hash(), q.Hash())
		told.Wait()
		require.Equal(t, "primary", partition.RoleOf(q))
		require.Equal(t, []time.Time{wrote.Add(200*time.Millisecond + wait)}, b.pages[1].claims)
		require.ErrorIs(t, write(p, 3), call.ErrNotReady)
		time.Sleep(time.Second)

		// A claim is refused: it waits again.
		b.pages[0].claiming = sync.OnceFunc(func() { require.NoError(t, write(q, 4)) })
		refused := time.Now()
		err := lead(p)
		told.Wait()
		require.ErrorIs(t, *err, call.ErrElsewhere)
		require.Equal(t, refused, time.Now(), "no one has written for a while")
		lead(p)
		told.Wait()
		require.Equal(t, "primary", partition.RoleOf(p))
		require.Equal(t, []time.Time{refused, refused.Add(wait)}, b.pages[0].claims[1:])

		// A resignation ends the wait.
		require.ErrorIs(t, write(q, 5), call.ErrNotReady)
		require.NoError(t, write(p, 5))
		synctest.Wait()
		lead(q)
		require.Equal(t, "follower", partition.RoleOf(q))
		time.Sleep(time.Millisecond)
		require.NoError(t, p.Resign(t.Context(), ""))
		synctest.Wait()
		require.Equal(t, "primary", partition.RoleOf(q))
		require.NoError(t, q.Resign(t.Context(), ""))
		require.NoError(t, q.Lead(t.Context()), "its own resignation, too")

		// A message comes at the last moment: it waits after that.
		b.pages[0].leaving = sync.OnceFunc(func() { require.NoError(t, write(q, 6)) })
		before := len(b.pages[0].claims)
		require.NoError(t, write(q, 6))
		synctest.Wait()
		wrote = time.Now()
		require.NoError(t, p.Lead(t.Context()))
		require.Equal(t, []time.Time{wrote.Add(2 * wait)}, b.pages[0].claims[before:])
		require.Error(t, q.VerifyPrimary(t.Context()))
		require.NoError(t, p.Resign(t.Context(), ""))
		require.NoError(t, q.Lead(t.Context()))

		// One that is not told to lead any more does not.
		require.NoError(t, write(q, 6))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		told.Go(func() { require.ErrorIs(t, p.Lead(ctx), context.Canceled) })
		time.Sleep(wait / 2)
		cancel()
		time.Sleep(time.Hour)
		require.Equal(t, "follower", partition.RoleOf(p))
		require.Equal(t, "primary", partition.RoleOf(q))
		told.Wait()
	})
}

// A primary that was replaced and has nothing to append learns of it when it is asked to make sure.
func TestVerifyPrimary_FindsOutWhoWasReplaced(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	require.NoError(t, p.VerifyPrimary(t.Context()))
	k.agree(0)
	require.ErrorIs(t, q.VerifyPrimary(t.Context()), call.ErrElsewhere)
	k.lead(1)
	require.Equal(t, "primary", partition.RoleOf(p))
	err := p.VerifyPrimary(t.Context())
	require.True(t, errors.Is(err, call.ErrElsewhere), err)
	require.NoError(t, q.VerifyPrimary(t.Context()))
	k.agree(1)
}

// answers are the calls that a primary answers from its state. Each hands its outcome to c as that of call 1.
func answers(p *partition.Partition, session uint64) map[string]func(c *caller) {
	by := call.Request{Session: session, Number: 1}
	ended, q := txn.ID{Number: 12345}, query(1, false)
	held, waits := query(1, false), query(9, false)
	held.Held = true
	later := func(c *caller, f func() error) {
		go func() { c.Reply(1, &call.Result{Err: f()}, 0, true) }()
	}
	return map[string]func(c *caller){
		"find":             func(c *caller) { p.Find(c, 1, q, 0) },
		"find nothing":     func(c *caller) { p.Find(c, 1, query(9, true), 0) },
		"wait for nothing": func(c *caller) { p.Find(c, 1, waits, time.Millisecond) },
		"find held":        func(c *caller) { p.Find(c, 1, held, 0) },
		"find under txn": func(c *caller) {
			q := query(1, false)
			q.Txn = ended
			p.Find(c, 1, q, 0)
		},
		"count":         func(c *caller) { p.Count(c, 1, q) },
		"contents":      func(c *caller) { p.Contents(c, 1, q, call.Cursor{}) },
		"kinds":         func(c *caller) { p.Kinds(c, 1) },
		"schema":        func(c *caller) { p.Describe(c, 1, "job") },
		"no schema":     func(c *caller) { p.Describe(c, 1, "none") },
		"register":      func(c *caller) { p.Register(c, 1, job) },
		"drop":          func(c *caller) { p.Drop(c, 1, "job") },
		"write":         func(c *caller) { p.Write(c, 1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 9}}) },
		"write in full": func(c *caller) { p.Write(c, 1, txn.ID{}, call.Request{}, append(draft(5), draft(6)...)) },
		"update": func(c *caller) {
			p.Update(c, 1, txn.ID{}, call.Request{}, call.Change{ID: 99999, Kind: 1, Row: rowOf(1)})
		},
		"renew":    func(c *caller) { p.Renew(c, 1, call.Request{}, call.Forever, []uint64{99999}) },
		"cancel":   func(c *caller) { p.Cancel(c, 1, call.Request{}, []uint64{99999}) },
		"begin":    func(c *caller) { p.BeginTxn(c, 1, call.Forever, call.Request{}, "") },
		"commit":   func(c *caller) { p.Commit(c, 1, ended, call.Request{}, nil) },
		"abort":    func(c *caller) { p.Abort(c, 1, ended) },
		"rollback": func(c *caller) { p.Rollback(c, 1, ended, nil) },
		"defer":    func(c *caller) { p.Defer(c, 1, ended, 1, 1) },
		"lose":     func(c *caller) { p.Lose(c, 1, ended.Number) },
		"attach":   func(c *caller) { p.Attach(c, 1, 99999, 0) },
		"txn fate": func(c *caller) { p.TxnFate(c, 1, ended.Number) },
		"call fate": func(c *caller) {
			p.CallFate(c, 1, by)
		},
		"repeated call": func(c *caller) {
			if had, err := p.Recall(c, 1, by); !had || err != nil {
				panic("it was made")
			}
		},
		"open session": func(c *caller) {
			err := p.Adopt(session, holder{c}, func(_ []call.OpenTxn, lsn call.LSN, durable bool) {
				c.Reply(1, &call.Result{}, lsn, durable)
			})
			if err != nil {
				panic(err)
			}
		},
		"outcome of txn": func(c *caller) {
			later(c, func() error {
				_, err := p.Participant().Outcome(context.Background(), ended.Number)
				return err
			})
		},
		"registrations": func(c *caller) {
			later(c, func() error {
				_, _, err := p.Registrations(0, 9)
				return err
			})
		},
	}
}

// holder is a caller that holds transactions.
type holder struct{ *caller }

func (holder) TxnLost(uint64, error, call.LSN, bool) {}

// Whatever is asked, a primary without a lease answers when the log has a message that was sent after the call, and not
// at all if another has replaced it.
func TestReadLease_EveryAnswerNeedsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &page{ledger: &ledger{news: make(chan struct{})}}
		p := partition.New(partition.Config{
			Log: l, Standby: true, Lease: 150 * time.Millisecond, Bounds: partition.Bounds{KindEntries: 2},
		})
		require.NoError(t, p.Start(t.Context(), nil))
		defer p.Close()
		require.NoError(t, p.Lead(t.Context()))
		registerJob(p)
		session, _, err := p.OpenSession(call.Client{1}, 0)
		require.NoError(t, err)
		c := newCaller()
		p.Write(c, 1, txn.ID{}, call.Request{Session: session, Number: 1}, draft(1))
		require.NoError(t, c.await(1).err)
		shown := func(c *caller) bool {
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.replies[1] != nil && c.replies[1].shown
		}
		for name, ask := range answers(p, session) {
			c, again := newCaller(), newCaller()
			time.Sleep(time.Second)
			open, n := l.stop(false), l.appends.Load()
			ask(c)
			require.False(t, shown(c), name)
			open()
			require.True(t, shown(c), name)
			require.EqualValues(t, 1, l.appends.Load()-n, name)
			ask(again)
			require.True(t, shown(again), name)
			require.EqualValues(t, 1, l.appends.Load()-n, "%s: it has a lease", name)
		}
		for name, ask := range answers(p, session) {
			time.Sleep(time.Second)
			open := l.stop(false)
			ask(newCaller())
			open()
			synctest.Wait()
			l.interrupt(t)
			time.Sleep(time.Second)
			c := newCaller()
			ask(c)
			require.True(t, shown(c), name)
			require.ErrorIs(t, c.await(1).err, call.ErrUnavailable, name)
			time.Sleep(time.Second)
			require.NoError(t, p.Lead(t.Context()))
		}
	})
}
