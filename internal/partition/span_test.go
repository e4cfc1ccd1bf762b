package partition_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// tape is a log in memory. One of its appends may fail.
type tape struct {
	mu     sync.Mutex
	msgs   [][]byte
	armed  bool
	fault  tapeFault
	in     int // number of the append, after arming, at which the fault occurs, from 1
	happen bool
	delay  time.Duration // of each append
	image  []byte        // at its beginning; nil: none
	clock  record.Clock  // of the image
	around func(before bool)
	slow   time.Duration // delay of CatchUp
}

type tapeFault int

const (
	stored  tapeFault = iota // the append fails after storing, with an unknown outcome
	lost                     // it fails before storing, with an unknown outcome
	refused                  // it fails before storing, and says so
)

func (l *tape) Append(msg []byte) error {
	if l.delay > 0 {
		time.Sleep(l.delay)
	}
	if l.around != nil {
		l.around(true)
		defer l.around(false)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	due := false
	if l.armed && l.in > 0 {
		l.in--
		due = l.in == 0
	}
	l.happen = l.happen || due
	if !due || l.fault == stored {
		l.msgs = append(l.msgs, bytes.Clone(msg))
	}
	switch {
	case !due:
		return nil
	case l.fault == refused:
		return refusal{errors.New("the disk is full")}
	}
	return errors.New("the log does not answer")
}

func (l *tape) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.msgs))
}

// groupOf returns a message as readers get it.
func groupOf(position uint64, msg []byte) record.Group {
	return record.Group{Position: position, Clock: record.ClockOf(msg), Records: msg[record.HeaderSize:]}
}

func (l *tape) Read(_ context.Context, from, to uint64, fn func(record.Group) error) error {
	l.mu.Lock()
	msgs := slices.Clone(l.msgs)
	l.mu.Unlock()
	for i := from; i <= to && i <= uint64(len(msgs)); i++ {
		if err := fn(groupOf(i, msgs[i-1])); err != nil {
			return err
		}
	}
	return nil
}

func (l *tape) Load(_ context.Context, fn func([]byte) error,
	_ func(done, total uint64),
) (uint64, record.Clock, error) {
	if l.image == nil {
		return 0, record.Clock{}, nil
	}
	return 0, l.clock, fn(l.image)
}

func (l *tape) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, _ func(done, total uint64),
) (uint64, error) {
	time.Sleep(l.slow)
	end := l.Last()
	return end, l.Read(ctx, after+1, end, apply)
}

func (l *tape) Claim(_ context.Context, follows uint64, _ record.Clock) (record.Group, error) {
	return record.Group{Position: follows}, nil
}

// fleet is a number of partitions with their coordinator.
type fleet struct {
	t     testing.TB
	parts map[string]*partition.Partition
	tapes map[string]*tape  // empty without logs
	rooms map[string]*roomy // the same
	spans *partition.Spans
}

// nameOf names the partitions of a fleet: one of a space, and two of another.
var nameOf = map[txn.Address]string{{Space: "a"}: "a", {Space: "b"}: "b", {Space: "b", Partition: 1}: "c"}

func addresses() []txn.Address { return slices.SortedFunc(maps.Keys(nameOf), txn.Address.Compare) }

// newFleet starts partitions a, b and c, with tapes from log unless log is nil. They have the job kind.
func newFleet(t testing.TB, log func() *tape) *fleet {
	f := &fleet{t: t, tapes: map[string]*tape{}, rooms: map[string]*roomy{}}
	for _, a := range addresses() {
		if name := nameOf[a]; log != nil {
			f.tapes[name] = log()
			f.rooms[name] = &roomy{tape: f.tapes[name]}
		}
	}
	f.start()
	for _, p := range f.parts {
		f.ok(func(c *caller) { p.Register(c, 1, job) })
	}
	return f
}

// start starts the partitions with their logs.
func (f *fleet) start() {
	f.parts = map[string]*partition.Partition{}
	f.spans = partition.NewSpans(partition.Directory{
		Find: func(a txn.Address) *partition.Partition { return f.parts[nameOf[a]] }, All: addresses,
	}, nil)
	for _, a := range addresses() {
		name := nameOf[a]
		cfg := partition.Config{Address: a, Txns: f.spans}
		if log := f.rooms[name]; log != nil {
			cfg.Log = log
		}
		f.parts[name] = partition.New(cfg)
		require.NoError(f.t, f.parts[name].Start(context.Background(), nil))
	}
}

func (f *fleet) close() {
	f.spans.Close()
	for _, p := range f.parts {
		require.NoError(f.t, p.Close())
	}
}

// prepare prepares the branch of a transaction in a partition.
func (f *fleet) prepare(name string, id txn.ID) (prepared bool, err error) {
	host := f.parts[name].Participant()
	made, err := host.Join(id)
	if err != nil {
		return false, err
	}
	return host.Prepare(f.t.Context(), id, made)
}

func (f *fleet) names() []string { return slices.Sorted(maps.Keys(f.parts)) }

// do makes one call, number 1, and returns its outcome.
func (f *fleet) do(callID func(c *caller)) *outcome {
	c := newCaller()
	callID(c)
	return c.await(1)
}

func (f *fleet) ok(callID func(c *caller)) *outcome {
	o := f.do(callID)
	require.NoError(f.t, o.err)
	return o
}

// begin begins a transaction in a, and returns its ID for the other partitions.
func (f *fleet) begin() (txn.ID, error) {
	o := f.do(func(c *caller) { f.parts["a"].BeginTxn(c, 1, int64(time.Hour), call.Request{}, "") })
	if o.err != nil {
		return txn.ID{}, o.err
	}
	return txn.ID{Space: "a", Number: o.grants[0].ID}, nil
}

// work takes the job with key 1 and writes one with key 2, in a partition, under a transaction.
func (f *fleet) work(id txn.ID, name string) error {
	local := id
	if name == "a" {
		local.Space = ""
	} else if err := f.spans.Join(id, f.parts[name]); err != nil {
		return err
	}
	q := query(1, true)
	q.Txn = local
	if o := f.do(func(c *caller) { f.parts[name].Find(c, 1, q, 0) }); o.err != nil {
		return o.err
	}
	return f.do(func(c *caller) { f.parts[name].Write(c, 1, local, call.Request{}, draft(2)) }).err
}

// atWork begins a transaction, and works under it in all partitions.
func (f *fleet) atWork() txn.ID {
	f.t.Helper()
	for _, p := range f.parts {
		f.ok(func(c *caller) { p.Write(c, 1, txn.ID{}, call.Request{}, draft(1)) })
	}
	id, err := f.begin()
	require.NoError(f.t, err)
	for _, name := range f.names() {
		require.NoError(f.t, f.work(id, name))
	}
	return id
}

func (f *fleet) commit(id txn.ID) error {
	return f.end(func(c *caller) partition.Span { return f.spans.Commit(c, 1, id, f.parts["a"], call.Request{}, nil) })
}

func (f *fleet) abort(id txn.ID) error {
	return f.end(func(c *caller) partition.Span { return f.spans.Abort(c, 1, id, f.parts["a"]) })
}

// end makes a call that ends a transaction, runs its Span, and returns its error.
func (f *fleet) end(one func(c *caller) partition.Span) error {
	var rest partition.Span
	o := f.do(func(c *caller) {
		if rest = one(c); rest != nil {
			_, err := rest(context.Background())
			c.Reply(1, &call.Result{Err: err}, 0, true)
		}
	})
	return o.err
}

// has reports whether a partition shows a job with a key.
func (f *fleet) has(name string, key int64) bool {
	o := f.do(func(c *caller) { f.parts[name].Find(c, 1, query(key, false), 0) })
	if !errors.Is(o.err, call.ErrNoMatch) {
		require.NoError(f.t, o.err)
	}
	return o.err == nil
}

// TestSpan_LogFailsAtEveryStep makes the log of each partition fail at each append of a transaction over three. Once
// the logs can be read again the partitions agree, and nothing stays locked.
func TestSpan_LogFailsAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, fault := range []tapeFault{stored, lost, refused} {
		for _, failing := range []string{"a", "b", "c"} {
			t.Run(fmt.Sprintf("%d %s", fault, failing), func(t *testing.T) {
				t.Parallel()
				happened := true
				for at := 1; happened; at++ {
					synctest.Test(t, func(t *testing.T) { happened = failAt(t, failing, fault, at) })
					require.Less(t, at, 10)
				}
			})
		}
	}
}

// failAt runs a transaction with one fault, and returns false if the fault did not happen.
func failAt(t *testing.T, failing string, fault tapeFault, at int) bool {
	f := newFleet(t, func() *tape { return new(tape) })
	defer f.close()
	for _, p := range f.parts {
		f.ok(func(c *caller) { p.Write(c, 1, txn.ID{}, call.Request{}, draft(1)) })
	}
	l := f.tapes[failing]
	l.mu.Lock()
	l.armed, l.fault, l.in = true, fault, at
	l.mu.Unlock()

	id, err := f.begin()
	for _, name := range f.names() {
		if err == nil {
			err = f.work(id, name)
		}
	}
	if err == nil {
		err = f.commit(id)
	} else {
		_ = f.abort(id) // it may have ended already
	}
	time.Sleep(time.Minute) // until logs are read again and all callers are told
	synctest.Wait()

	done := f.has("a", 2)
	for _, name := range f.names() {
		require.Equal(t, done, f.has(name, 2), "%s, append %d", name, at)
		require.Equal(t, !done, f.has(name, 1), "%s, append %d", name, at)
		require.Empty(t, f.parts[name].Participant().Branches())
		require.Empty(t, f.parts[name].Participant().Decisions())
	}
	if err == nil {
		require.True(t, done)
	} else if !errors.Is(err, call.ErrOutcomeUnknown) {
		require.False(t, done, err)
	}
	return l.happen
}

// The effects of a transaction in a partition stay visible from its commit on, even if the partition's log fails before
// it has them, and the home, whose log has the commit, reads that again at the same time, whichever is first.
func TestSpan_WhatWasCommittedStaysSeenWhileLogsAreReadAgain(t *testing.T) {
	t.Parallel()
	fill := func(f *fleet, name string) { f.rooms[name].full.Store(true) }
	refuse := func(f *fleet, name string) {
		l := f.tapes[name]
		l.mu.Lock()
		defer l.mu.Unlock()
		l.armed, l.fault, l.in = true, refused, 1
	}
	for name, c := range map[string]struct{ a, b func(f *fleet, name string) }{
		"both full":   {fill, fill},
		"home full":   {fill, refuse},
		"branch full": {refuse, fill},
		"none full":   {refuse, refuse},
	} {
		for _, slow := range []string{"a", "b"} {
			t.Run(name+", slow "+slow, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, func() *tape { return new(tape) })
					defer f.close()
					id := f.atWork()
					f.tapes[slow].slow = 300 * time.Millisecond
					f.tapes["a"].around = func(before bool) {
						if !before { // the decision is stored
							f.tapes["a"].around = nil
							c.a(f, "a")
							c.b(f, "b")
						}
					}
					require.NoError(t, f.commit(id))
					_ = f.do(func(c *caller) { f.parts["a"].Write(c, 1, txn.ID{}, call.Request{}, draft(3)) })
					served := 0
					for range 10_000 {
						for _, name := range f.names() {
							o := f.do(func(c *caller) { f.parts[name].Find(c, 1, query(2, false), 0) })
							if o.err == nil {
								served++
							} else {
								require.ErrorIs(t, o.err, call.ErrUnavailable, name)
							}
						}
						time.Sleep(time.Millisecond)
					}
					require.Greater(t, served, 10_000, "all are served again")
				})
			})
		}
	}
}

// TestSpan_NoCallSeesHalf waits for a transaction's write in one partition, and then looks for its write in another.
func TestSpan_NoCallSeesHalf(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]func() *tape{
		"memory": nil,
		"logged": func() *tape { return &tape{delay: 100 * time.Microsecond} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, log)
			defer f.close()
			for key := int64(1); key <= 200; key++ {
				var observers sync.WaitGroup
				for _, from := range f.names() {
					c := newCaller()
					f.parts[from].Find(c, 1, query(key, false), -1)
					observers.Go(func() {
						if c.await(1); !f.has("a", key) || !f.has("b", key) || !f.has("c", key) {
							t.Errorf("job %d is in %s alone", key, from)
						}
					})
				}
				f.writeEverywhere(key)
				for _, name := range f.names() {
					require.True(t, f.has(name, key), "the commit has returned")
				}
				observers.Wait()
			}
		})
	}
}

// writeEverywhere writes a job in all partitions, in one transaction.
func (f *fleet) writeEverywhere(key int64) {
	id, err := f.begin()
	require.NoError(f.t, err)
	for _, name := range []string{"b", "c"} {
		require.NoError(f.t, f.spans.Join(id, f.parts[name]))
		f.ok(func(c *caller) { f.parts[name].Write(c, 1, id, call.Request{}, draft(key)) })
	}
	f.ok(func(c *caller) { f.parts["a"].Write(c, 1, txn.ID{Number: id.Number}, call.Request{}, draft(key)) })
	require.NoError(f.t, f.commit(id))
}

func TestSpan_PreparedStaysLockedThroughRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, func() *tape { return new(tape) })
		for _, p := range f.parts {
			f.ok(func(c *caller) { p.Write(c, 1, txn.ID{}, call.Request{}, draft(1)) })
		}
		id, err := f.begin()
		require.NoError(t, err)
		require.NoError(t, f.work(id, "b"))
		prepared, err := f.prepare("b", id)
		require.NoError(t, err)
		require.True(t, prepared)
		q := query(1, false)
		q.Txn = id
		require.ErrorIs(t, f.do(func(c *caller) { f.parts["b"].Find(c, 1, q, 0) }).err, call.ErrTxnEnded, "it is prepared")
		f.close()

		again := partition.New(partition.Config{Address: txn.Address{Space: "b"}, Log: f.tapes["b"]})
		require.NoError(t, again.Start(t.Context(), nil))
		defer again.Close()
		f.parts["b"] = again
		require.Equal(t, []txn.ID{id}, again.Participant().Branches())
		require.False(t, f.has("b", 1), "it is taken")
		require.False(t, f.has("b", 2), "it is not written yet")
		c := newCaller()
		again.Find(c, 1, query(2, false), -1)
		require.NoError(t, again.Participant().Commit(t.Context(), id))
		require.NoError(t, c.await(1).err, "who waits is served")
		require.False(t, f.has("b", 1))
		require.NoError(t, again.Participant().Commit(t.Context(), id), "again is no harm")
		require.NoError(t, again.Participant().Abort(t.Context(), id))
		require.True(t, f.has("b", 2))
	})
}

func (*tape) Follow(context.Context, uint64, func(record.Group) error) error {
	panic("this log has no followers")
}

func (*tape) Resign(string, record.Clock) error { panic("this log has no heirs") }
func (*tape) Distrust() error                   { panic("this log has no images") }

// A call under a transaction of another space that comes to a dropped one gets the error of the space.
func TestSpans_JoinADroppedSpace(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil)
	id, err := f.begin()
	require.NoError(t, err)
	dropped := f.parts["b"]
	require.NoError(t, dropped.Discard())
	delete(f.parts, "b")
	require.ErrorIs(t, f.spans.Join(id, dropped), call.ErrDropped)
	require.NoError(t, f.commit(id))
}

// A call under a transaction whose home is handed over at that moment is told so, whenever the call looks: the space
// exists.
func TestSpans_HomeChangesHands(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil)
	id, err := f.begin()
	require.NoError(t, err)
	home, looks, here := f.parts["a"], 0, 0
	peer := f.spans.Host(home).Peer()
	spans := partition.NewSpans(partition.Directory{
		Find: func(a txn.Address) *partition.Partition {
			if a != id.Home() {
				return f.parts[nameOf[a]]
			}
			if looks++; looks > here {
				return nil
			}
			return home
		},
		All: addresses,
		Far: func(a txn.Address) partition.Peer {
			if a != id.Home() {
				return nil
			}
			return peer
		},
	}, nil)
	defer spans.Close()
	host := spans.Host(f.parts["b"])
	for here = range 4 {
		looks = 0
		wait, err := host.Join(id)
		if err == nil && wait != nil {
			err = wait(t.Context())
		}
		if err != nil {
			require.ErrorIs(t, err, call.ErrElsewhere, "after %d looks", here)
		}
		looks = 0
		fate, err := spans.Fate(t.Context(), id)
		require.NoError(t, err, "after %d looks", here)
		require.Equal(t, call.Undecided, fate)
	}
	looks, here = 0, 1
	_, err = host.Join(id)
	require.ErrorIs(t, err, call.ErrElsewhere)
}
