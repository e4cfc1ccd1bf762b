package partition_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

var job = &template.Schema{Kind: "job", Fields: []template.Field{{Name: "key", Class: template.Int}}}

// rowOf returns the row of a job.
func rowOf(key int64) template.Row {
	v := template.AppendInt(nil, key)
	return append(template.Row{byte(len(v))}, v...)
}

func query(key int64, take bool) *call.Query {
	return &call.Query{Max: 1, Take: take, Templates: []call.Template{{Kind: 1, Conds: []template.Cond{
		{Field: 0, Op: template.Eq, Value: template.AppendInt(nil, key)},
	}}}}
}

func draft(key int64) []call.Draft {
	return []call.Draft{{Kind: 1, Row: rowOf(key), Lease: call.Forever}}
}

// outcome is the outcome of a call as its caller received it.
type outcome struct {
	err     error
	entries []call.View
	grants  []call.Grant
	errs    []error
	count   int
	cursor  call.Cursor
	more    bool
	seq     uint64
	lsn     partition.LSN
	shown   bool // it may be shown
}

// caller records what it receives.
type caller struct {
	mu      sync.Mutex
	cond    *sync.Cond
	replies map[uint64]*outcome
	events  []call.Event
	room    int // number of events that it still takes
	early   int // events that could be shown at once
	ended   bool
	lost    error
}

func newCaller() *caller {
	c := &caller{replies: map[uint64]*outcome{}, room: math.MaxInt}
	c.cond = sync.NewCond(&c.mu)
	return c
}

func (c *caller) Reply(callID uint64, r *call.Result, lsn partition.LSN, durable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replies[callID] != nil {
		panic("a call has two replies")
	}
	o := &outcome{err: r.Err, count: r.Count, cursor: r.Cursor, more: r.More, seq: r.Seq, lsn: lsn, shown: durable}
	o.grants = append(o.grants, r.Grants...)
	o.errs = append(o.errs, r.Errs...)
	for _, v := range r.Entries {
		v.Row = append(template.Row(nil), v.Row...)
		o.entries = append(o.entries, v)
	}
	c.replies[callID] = o
	c.cond.Broadcast()
}

func (c *caller) Event(ev *partition.Event, _ partition.LSN, durable bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room == 0 {
		return false
	}
	c.room--
	if durable {
		c.early++
	}
	e := *ev
	e.Entry.Row = bytes.Clone(ev.Entry.Row)
	c.events = append(c.events, e)
	c.cond.Broadcast()
	return true
}

func (c *caller) Ended(uint64, partition.LSN, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.cond.Broadcast()
}

// collect blocks until the caller has received n events, and returns them.
func (c *caller) collect(n int) []call.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.events) < n {
		c.cond.Wait()
	}
	return c.events
}

func (c *caller) Durable(lsn partition.LSN) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.replies {
		o.shown = o.shown || o.lsn <= lsn
	}
	c.cond.Broadcast()
}

func (c *caller) Lost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = err
	for _, o := range c.replies {
		if !o.shown {
			o.err, o.shown = err, true
		}
	}
	c.cond.Broadcast()
}

// types counts the received events by type.
func (c *caller) types() map[call.EventType]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	types := map[call.EventType]int{}
	for i := range c.events {
		types[c.events[i].Type]++
	}
	return types
}

// seen returns the received events; the caller takes no more.
func (c *caller) seen() []call.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room = 0
	return c.events
}

// awaitEnd blocks until a registration of the caller has ended.
func (c *caller) awaitEnd() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.ended {
		c.cond.Wait()
	}
}

// await blocks until the outcome of a call may be shown.
func (c *caller) await(callID uint64) *outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.replies[callID] == nil || !c.replies[callID].shown {
		c.cond.Wait()
	}
	return c.replies[callID]
}

// forget removes the outcome of a call.
func (c *caller) forget(callID uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.replies, callID)
}

// held reports whether a call has an outcome that may not be shown yet.
func (c *caller) held(callID uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replies[callID] != nil && !c.replies[callID].shown
}

func (c *caller) waiting(callID uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replies[callID] == nil
}

// gate is a real log whose appends can be blocked and made to fail.
type gate struct {
	*replication.Log
	mu     sync.Mutex
	before func() error // called before an append; its error is returned instead of appending
	after  func() error // called after an append; its error is returned instead of success
}

func (g *gate) set(before, after func() error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before, g.after = before, after
}

// shut blocks appends until open is called, or the test ends.
func (g *gate) shut(t *testing.T) (open func()) {
	shut := make(chan struct{})
	open = sync.OnceFunc(func() { close(shut) })
	t.Cleanup(open)
	g.set(func() error { <-shut; return nil }, nil)
	return open
}

func (g *gate) Append(msg []byte) error {
	g.mu.Lock()
	before, after := g.before, g.after
	g.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	if err := g.Log.Append(msg); err != nil {
		return err
	}
	if after != nil {
		return after()
	}
	return nil
}

// openLog returns a log in a new folder.
func openLog(t *testing.T) *gate {
	t.Helper()
	store, err := replication.Open(t.Context(), replication.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	l, err := store.Log(t.Context(), "test", 0)
	require.NoError(t, err)
	return &gate{Log: l}
}

// start returns a partition of log, which may be nil, with the job kind.
func start(t *testing.T, log partition.Log) *partition.Partition {
	t.Helper()
	p := partition.New(partition.Config{Log: log})
	require.NoError(t, p.Start(t.Context(), nil))
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	c := newCaller()
	p.Register(c, 1, job)
	require.NoError(t, c.await(1).err)
	return p
}

func TestPartition_OutcomesWaitForWhatTheyDependOn(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
	p.Write(c, 2, txn.ID{}, call.Request{}, draft(2))
	require.NoError(t, c.await(1).err)
	require.NoError(t, c.await(2).err)

	open := make(chan struct{})
	log.set(func() error { <-open; return nil }, nil)
	p.Find(c, 3, query(1, false), 0)
	require.Equal(t, rowOf(1), c.await(3).entries[0].Row, "a read of durable state does not wait")
	p.Find(c, 4, query(1, true), 0)
	require.True(t, c.held(4), "a take waits for the log")
	p.Find(c, 5, query(1, false), 0)
	require.True(t, c.held(5), "none waits for the removal that it is owed to")
	p.Find(c, 6, query(2, false), 0)
	require.True(t, c.held(6), "what is now the oldest waits for the removal of what was")
	p.Write(c, 7, txn.ID{}, call.Request{}, draft(7))
	p.Find(c, 8, query(7, false), 0)
	require.True(t, c.held(7))
	require.True(t, c.held(8), "a read waits for the write that it saw")
	p.Find(c, 9, query(9, true), -1)
	p.Write(newCaller(), 1, txn.ID{}, call.Request{}, draft(9))
	require.True(t, c.held(9), "a waiting take waits for the log too")
	close(open)
	require.NoError(t, c.await(4).err)
	require.ErrorIs(t, c.await(5).err, call.ErrNoMatch)
	require.NoError(t, c.await(6).err)
	require.NoError(t, c.await(7).err)
	require.NoError(t, c.await(8).err)
	require.NoError(t, c.await(9).err)
}

var errInjected = errors.New("injected")

// refusal is the error of a log that has certainly stored nothing.
type refusal struct{ error }

func (refusal) NotStored() bool { return true }

func TestPartition_RefusedAppendHasChangedNothing(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
	require.NoError(t, c.await(1).err)
	var once sync.Once
	log.set(func() (err error) {
		once.Do(func() { err = fmt.Errorf("append: %w", refusal{errInjected}) })
		return err
	}, nil)
	p.Find(c, 2, query(1, true), 0)
	require.ErrorIs(t, c.await(2).err, call.ErrUnavailable)
	require.NotErrorIs(t, c.await(2).err, call.ErrOutcomeUnknown)
	require.Eventually(t, func() bool { return p.Stats().Err == nil }, time.Minute, time.Millisecond)
	p.Find(c, 3, query(1, true), 0)
	require.NoError(t, c.await(3).err, "it is still there")
}

func TestPartition_FailedAppendIsResolvedByTheLog(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{false, true} {
		log := openLog(t)
		p := start(t, log)
		c := newCaller()
		p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
		require.NoError(t, c.await(1).err)
		p.Find(c, 2, query(42, true), -1)

		// The first append fails; a second one, if it were tried, would fail before the state is rebuilt.
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
		p.Find(c, 3, query(1, true), 0)
		require.ErrorIs(t, c.await(3).err, call.ErrOutcomeUnknown)
		require.ErrorIs(t, c.await(3).err, errInjected)
		require.ErrorIs(t, c.await(2).err, call.ErrUnavailable, "a wait ends, and has taken nothing")

		require.Eventually(t, func() bool { return p.Stats().Err == nil }, time.Minute, time.Millisecond)
		p.Find(c, 4, query(1, false), 0)
		if landed {
			require.ErrorIs(t, c.await(4).err, call.ErrNoMatch)
		} else {
			require.NoError(t, c.await(4).err)
		}
		p.Write(c, 5, txn.ID{}, call.Request{}, draft(5))
		require.NoError(t, c.await(5).err)
		require.Equal(t, p.Hash(), rebuilt(t, log))
	}
}

// rebuilt returns the hash of the state in the log.
func rebuilt(t *testing.T, log *gate) uint64 {
	t.Helper()
	e := engine.New(engine.Config{}, 0)
	ctx, cancel := context.WithCancel(t.Context())
	last := log.Last()
	err := log.Follow(ctx, 0, func(g record.Group) error {
		require.NoError(t, e.Apply(g.Records))
		if g.Position == last {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	return e.Hash()
}

// watchedReading calls a function before the log is read again.
type watchedReading struct {
	*gate
	replaying func()
}

func (l watchedReading) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (uint64, error) {
	l.replaying()
	return l.gate.CatchUp(ctx, after, apply, progress)
}

// A caller that asks for a kind while the state is rebuilt must not be told that there is none.
func TestPartition_KindsStayWhileTheStateIsRebuilt(t *testing.T) {
	t.Parallel()
	log := watchedReading{gate: openLog(t)}
	var p *partition.Partition
	known := make(chan bool, 1)
	log.replaying = func() {
		if p != nil {
			known <- p.Schema(1) != nil && p.KindID("job") == 1
		}
	}
	p = start(t, log)
	c := newCaller()
	var once sync.Once
	log.set(func() (err error) {
		once.Do(func() { err = errInjected })
		return err
	}, nil)
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
	require.ErrorIs(t, c.await(1).err, call.ErrOutcomeUnknown)
	require.True(t, <-known)
}

func TestPartition_CallsAreRefusedWhileTheLogIsAway(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	c := newCaller()
	refuse := make(chan struct{})
	log.set(func() error {
		select {
		case <-refuse:
			return nil
		default:
			return errInjected
		}
	}, nil)
	for callID := uint64(1); ; callID++ {
		p.Write(c, callID, txn.ID{}, call.Request{}, draft(1))
		if err := c.await(callID).err; errors.Is(err, call.ErrUnavailable) {
			break
		} else {
			require.ErrorIs(t, err, call.ErrOutcomeUnknown)
		}
	}
	close(refuse)
	require.Eventually(t, func() bool { return p.Stats().Err == nil }, time.Minute, time.Millisecond)
	n := newCaller()
	p.Find(n, 1, query(1, false), 0)
	require.ErrorIs(t, n.await(1).err, call.ErrNoMatch, "nothing that was refused is there")
}

func TestPartition_RestartServesWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	c := newCaller()
	p.Notify(c, 1, query(3, false), call.Events(call.Written), call.Forever)
	registration := c.await(1).grants[0].ID
	for callID := range int64(10) {
		p.Write(c, uint64(callID+2), txn.ID{}, call.Request{}, draft(callID%4))
	}
	p.Write(c, 20, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: rowOf(99), Lease: int64(time.Hour)}})
	lease := c.await(20).grants[0].ID
	p.Find(c, 21, query(2, true), 0)
	require.NoError(t, c.await(21).err)
	hash := p.Hash()
	require.NoError(t, p.Close())

	again := start(t, log)
	require.Equal(t, hash, again.Hash())
	require.Equal(t, job, again.Schema(again.KindID("job")))
	n := newCaller()
	again.Renew(n, 1, call.Request{}, int64(time.Minute), []uint64{lease})
	require.Equal(t, int64(time.Minute), n.await(1).grants[0].Granted)

	// Unacknowledged events are delivered from the log to the next listener that attaches.
	again.Attach(n, 2, registration, 1)
	require.Equal(t, uint64(2), n.await(2).seq)
	require.Equal(t, uint64(2), n.collect(1)[0].Seq)
	again.Attach(n, 3, 12345, 0)
	require.ErrorIs(t, n.await(3).err, call.ErrLeaseEnded)
}

func TestPartition_CloseEndsWaitsAndKeepsWhatIsPending(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	c := newCaller()
	p.Find(c, 1, query(1, true), -1)
	p.Write(c, 2, txn.ID{}, call.Request{}, draft(2))
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	require.ErrorIs(t, c.await(1).err, call.ErrClosed)
	require.NoError(t, c.await(2).err)
	p.Write(c, 3, txn.ID{}, call.Request{}, draft(3))
	require.ErrorIs(t, c.await(3).err, call.ErrClosed)

	again := start(t, log)
	again.Find(c, 4, query(2, false), 0)
	require.NoError(t, c.await(4).err)
}

func TestPartition_WaitsEnd(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, other := newCaller(), newCaller()
	for callID := range uint64(3) {
		p.Find(c, callID, query(1, true), -1)
	}
	p.Find(other, 0, query(1, true), -1)
	p.Find(c, 3, query(1, true), time.Nanosecond)
	require.ErrorIs(t, c.await(3).err, call.ErrNoMatch)
	p.CancelWait(c, 0)
	p.CancelWait(c, 0)
	require.ErrorIs(t, c.await(0).err, call.ErrCancelled)
	require.Equal(t, 3, p.Stats().Waiting)
	p.Gone(c)
	require.Equal(t, 1, p.Stats().Waiting, "the waits of others go on")
	p.Write(c, 9, txn.ID{}, call.Request{}, draft(1))
	require.NoError(t, other.await(0).err)
	require.ErrorIs(t, c.await(1).err, call.ErrCancelled, "no call goes without a reply")
	require.Zero(t, p.Stats().Waiting)
}

func TestPartition_RefusedQueryServesNobodyAgain(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := newCaller()
	p.Find(c, 1, query(1, true), -1)
	p.Write(c, 2, txn.ID{}, call.Request{}, draft(1))
	require.NoError(t, c.await(1).err)
	p.Count(c, 3, &call.Query{})
	require.ErrorIs(t, c.await(3).err, call.ErrInvalidArgument)
}

func TestPartition_LimitsAreChecked(t *testing.T) {
	t.Parallel()
	p := partition.New(partition.Config{MaxEntry: 8, MaxCall: 10, Bounds: partition.Bounds{Waiting: 1}})
	c := newCaller()
	p.Write(c, 0, txn.ID{}, call.Request{}, draft(1))
	require.ErrorIs(t, c.await(0).err, call.ErrUnavailable, "not started")
	require.NoError(t, p.Start(t.Context(), nil))
	p.Register(c, 1, job)
	p.Write(c, 2, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: make(template.Row, 9), Lease: 1}})
	require.ErrorIs(t, c.await(2).err, call.ErrTooLarge)
	p.Write(c, 3, txn.ID{}, call.Request{},
		[]call.Draft{{Kind: 1, Row: make(template.Row, 6), Lease: 1}, {Kind: 1, Row: make(template.Row, 6), Lease: 1}})
	require.ErrorIs(t, c.await(3).err, call.ErrTooLarge)
	p.Find(c, 4, query(1, false), -1)
	p.Find(c, 5, query(1, false), -1)
	require.ErrorIs(t, c.await(5).err, call.ErrUnavailable)
	require.NoError(t, p.Close())
}

func TestPartition_EventsAreBounded(t *testing.T) {
	t.Parallel()
	p := partition.New(partition.Config{EventBacklog: 3})
	require.NoError(t, p.Start(t.Context(), nil))
	c := newCaller()
	p.Register(c, 1, job)
	p.Notify(c, 2, query(1, false), call.Events(call.Written), call.Forever)
	registration := c.await(2).grants[0].ID
	p.Gone(c)
	for callID := range uint64(10) {
		p.Write(c, 10+callID, txn.ID{}, call.Request{}, draft(1))
	}
	p.Acknowledge(registration, 8)
	n := newCaller()
	p.Attach(n, 1, registration, 0)
	require.Equal(t, uint64(10), n.await(1).seq)
	require.Len(t, n.events, 3)
	require.Equal(t, call.Gap, n.events[0].Type, "what was acknowledged is not kept")
	require.Equal(t, call.GapOverflow, n.events[0].Cause)
	require.Equal(t, uint64(8), n.events[0].Seq)
	require.Equal(t, uint64(9), n.events[1].Seq)
	p.Cancel(n, 2, call.Request{}, []uint64{registration})
	require.NoError(t, n.await(2).err)
	require.NoError(t, p.Close())
}

// Calls share messages. Those that change several entries are marked, so that a reader of the log need not treat a
// whole message as one call.
func TestPartition_MarksCallsThatChangeSeveralEntries(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	before := log.Last()
	c := newCaller()
	p.Begin()
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
	p.Write(c, 2, txn.ID{}, call.Request{}, append(draft(3), draft(4)...))
	p.Find(c, 3, query(1, true), 0)
	p.Write(c, 4, txn.ID{}, call.Request{}, draft(5))
	p.End()
	require.NoError(t, c.await(4).err)
	var ops []record.Op
	require.NoError(t, log.Read(t.Context(), before+1, log.Last(), func(g record.Group) error {
		var r record.Record
		for rest := g.Records; len(rest) > 0; {
			var err error
			if rest, err = record.Next(rest, &r); err != nil {
				return err
			}
			ops = append(ops, r.Op)
		}
		return nil
	}))
	require.Equal(t, []record.Op{record.Put, record.Put, record.Put, record.Together, record.Remove, record.Put}, ops)
}
