package partition_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// keeps returns a partition of log, with the job kind, that keeps backlog events in memory.
func keeps(t *testing.T, log partition.Log, backlog int) *partition.Partition {
	t.Helper()
	p := partition.New(partition.Config{Log: log, EventBacklog: backlog})
	require.NoError(t, p.Start(t.Context(), nil))
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	c := newCaller()
	p.Register(c, 1, job)
	require.NoError(t, c.await(1).err)
	return p
}

func everything() *call.Query {
	return &call.Query{Max: 1, Templates: []call.Template{{Kind: 1}}}
}

// registered registers a listener for all jobs that takes at most room events, and returns the registration.
func registered(t *testing.T, p *partition.Partition, room int) (*caller, uint64) {
	t.Helper()
	c := newCaller()
	c.room = room
	p.Notify(c, 1, everything(), call.Events(call.Written), call.Forever)
	require.NoError(t, c.await(1).err)
	return c, c.await(1).grants[0].ID
}

// fill writes jobs with keys from first to last, many in one call, with short leases: only the events are to take
// memory.
func fill(t *testing.T, p *partition.Partition, first, last int64) {
	t.Helper()
	c := newCaller()
	var drafts []call.Draft
	for key := first; key <= last; key++ {
		drafts = append(drafts, call.Draft{Kind: 1, Row: rowOf(key), Lease: int64(time.Millisecond)})
		if len(drafts) == 1000 || key == last {
			p.Write(c, uint64(key), txn.ID{}, call.Request{}, drafts)
			require.NoError(t, c.await(uint64(key)).err)
			drafts = drafts[:0]
		}
	}
}

// follow attaches one listener after the other to a registration, each with little room, until event number last has
// come. It checks that no event is missing, out of order or different from what fill has written.
func follow(t *testing.T, p *partition.Partition, registration uint64, room int, after, last uint64) {
	t.Helper()
	for after < last {
		c := newCaller()
		c.room = room
		p.Attach(c, 1, registration, after)
		require.NoError(t, c.await(1).err)
		n := min(room, int(last-after))
		for i, ev := range c.collect(n)[:n] {
			if ev.Type != call.Written || ev.Seq != after+uint64(i)+1 || ev.Registration != registration ||
				ev.Entry.Kind != 1 || !bytes.Equal(ev.Entry.Row, rowOf(int64(ev.Seq))) {
				require.Failf(t, "wrong event", "%+v after %d and %d others", ev, after, i)
			}
		}
		after += uint64(n)
	}
}

func TestListener_IsServedFromTheLogWhatMemoryDoesNotHold(t *testing.T) {
	t.Parallel()
	const events, backlog = 100_000, 100
	log := openLog(t)
	p := keeps(t, log, backlog)
	_, registration := registered(t, p, 0)
	fill(t, p, 1, events)
	require.LessOrEqual(t, p.Stats().Events, backlog)
	follow(t, p, registration, 30_000, 0, events)
	require.NoError(t, p.Close())

	again := keeps(t, log, backlog)
	require.Zero(t, again.Stats().Events, "a restart reads what is asked for, and nothing before")
	follow(t, again, registration, math.MaxInt, 60_000, events)
	follow(t, again, registration, 33_333, 0, events)
	fill(t, again, events+1, events+1000)
	follow(t, again, registration, 5000, events-1, events+1000)
	again.Acknowledge(registration, events)
	follow(t, again, registration, 5000, events, events+1000)
	c := newCaller()
	again.Attach(c, 1, registration, 0)
	c.collect(1001)
	require.Equal(t, call.Gap, c.seen()[0].Type, "what was acknowledged is not asked for")
}

// A listener that is behind catches up while events keep coming, and then gets them as they come.
func TestListener_CatchesUpWithWriters(t *testing.T) {
	t.Parallel()
	const before, meanwhile = 10_000, 20_000
	p := keeps(t, openLog(t), 10)
	_, registration := registered(t, p, 0)
	fill(t, p, 1, before)
	c := newCaller()
	p.Attach(c, 1, registration, 0)
	fill(t, p, before+1, before+meanwhile)
	for i, ev := range c.collect(before + meanwhile) {
		require.Equal(t, uint64(i+1), ev.Seq)
		require.Equal(t, rowOf(int64(i+1)), ev.Entry.Row)
	}
	fill(t, p, before+meanwhile+1, before+meanwhile+1)
	c.collect(before + meanwhile + 1)
}

// Several registrations that match different parts share the log; each finds its own events.
func TestListener_FindsItsOwnAmongOthers(t *testing.T) {
	t.Parallel()
	p := keeps(t, openLog(t), 3)
	const keys, rounds = 5, 400
	var registrations [keys]uint64
	for key := range registrations {
		c := newCaller()
		c.room = 0
		p.Notify(c, 1, query(int64(key), false), call.Events(call.Written), call.Forever)
		registrations[key] = c.await(1).grants[0].ID
	}
	w := newCaller()
	var drafts []call.Draft
	for i := range rounds * keys {
		drafts = append(drafts, draft(int64(i%keys))...)
		if len(drafts) > i%17 { // so that groups begin anywhere
			p.Write(w, uint64(i), txn.ID{}, call.Request{}, drafts)
			require.NoError(t, w.await(uint64(i)).err)
			drafts = nil
		}
	}
	p.Write(w, rounds*keys, txn.ID{}, call.Request{}, append(drafts, draft(keys)...))
	require.NoError(t, w.await(rounds*keys).err)
	for key, registration := range registrations {
		for after := uint64(0); after < rounds; after += 37 {
			c := newCaller()
			p.Attach(c, 1, registration, after)
			for i, ev := range c.collect(rounds - int(after)) {
				require.Equal(t, after+uint64(i)+1, ev.Seq)
				require.Equal(t, rowOf(int64(key)), ev.Entry.Row)
			}
			p.Gone(c)
		}
	}
}

// Events that are not in the log yet stay in memory, whatever the limits: they could not be read from anywhere else.
func TestListener_KeepsWhatIsNotDurableYet(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := keeps(t, log, 10)
	_, registration := registered(t, p, 0)
	open := log.shut(t)
	w := newCaller()
	for key := range int64(500) {
		p.Write(w, uint64(key), txn.ID{}, call.Request{}, draft(key+1))
	}
	require.Equal(t, 500, p.Stats().Events)
	open()
	require.NoError(t, w.await(499).err)
	require.LessOrEqual(t, p.Stats().Events, 10)
	follow(t, p, registration, 64, 0, 500)
}

func TestListener_EndComesAfterWhatTheLogHolds(t *testing.T) {
	t.Parallel()
	p := keeps(t, openLog(t), 10)
	_, registration := registered(t, p, 0)
	fill(t, p, 1, 5000)
	c := newCaller()
	p.Cancel(c, 1, call.Request{}, []uint64{registration})
	require.NoError(t, c.await(1).err)
	follow(t, p, registration, 1000, 0, 4000)
	last := newCaller()
	p.Attach(last, 1, registration, 4000)
	last.collect(1000)
	last.awaitEnd()
	require.Len(t, last.collect(1000), 1000)
	require.Zero(t, p.Stats().Registrations)
	p.Attach(c, 2, registration, 4000)
	require.ErrorIs(t, c.await(2).err, call.ErrLeaseEnded)
}

// failing is a real log that can be made to fail when it is read.
type failing struct {
	*replication.Log
	mu   sync.Mutex
	fail func(from uint64) error
}

func (f *failing) set(fail func(from uint64) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *failing) Read(ctx context.Context, from, to uint64, fn func(record.Group) error) error {
	f.mu.Lock()
	fail := f.fail
	f.mu.Unlock()
	if fail != nil {
		if err := fail(from); err != nil {
			return err
		}
	}
	return f.Log.Read(ctx, from, to, fn)
}

func TestListener_OutlivesALogThatCannotBeReadForAWhile(t *testing.T) {
	t.Parallel()
	log := &failing{Log: openLog(t).Log}
	p := keeps(t, log, 10)
	_, registration := registered(t, p, 0)
	fill(t, p, 1, 1000)
	var reads atomic.Int32
	log.set(func(uint64) error {
		if reads.Add(1) == 1 {
			return errors.New("injected")
		}
		return nil
	})
	follow(t, p, registration, math.MaxInt, 0, 1000)
}

// Events that the log has lost become a gap of exactly these, and later events follow.
func TestListener_IsToldWhatTheLogHasLost(t *testing.T) {
	t.Parallel()
	log := &failing{Log: openLog(t).Log}
	p := keeps(t, log, 10)
	_, registration := registered(t, p, 0)
	fill(t, p, 1, 10_000)
	middle := log.Last()
	fill(t, p, 10_001, 20_000)
	log.set(func(from uint64) error {
		if from <= middle {
			return fmt.Errorf("injected: %w", replication.ErrPosition)
		}
		return nil
	})
	c := newCaller()
	p.Attach(c, 1, registration, 5000)
	events := c.collect(2)
	require.Equal(t, call.Gap, events[0].Type)
	require.Equal(t, call.GapPurged, events[0].Cause)
	gap := int(events[0].Seq)
	require.InDelta(t, 10_000, gap, 1000)
	for i, ev := range c.collect(1 + 20_000 - gap)[1:] {
		require.Equal(t, call.Written, ev.Type)
		require.Equal(t, uint64(gap+i+1), ev.Seq)
	}

	log.set(func(uint64) error { return record.ErrCorrupt })
	c = newCaller()
	p.Attach(c, 1, registration, 0)
	lost := c.collect(11)[0]
	require.Equal(t, call.Gap, lost.Type)
	require.Equal(t, call.GapPurged, lost.Cause)
	require.Equal(t, uint64(19_990), lost.Seq, "nothing but what is in memory is left")
}

// Listeners that come and go at any moment, while others write, miss nothing and get nothing twice.
func TestListener_TakesOverAnywhere(t *testing.T) {
	t.Parallel()
	const events = 30_000
	p := keeps(t, openLog(t), 50)
	_, registration := registered(t, p, 0)
	var writer sync.WaitGroup
	writer.Go(func() { fill(t, p, 1, events) })
	for after, turn := uint64(0), 0; after < events; turn++ {
		c := newCaller()
		c.room = 1 + turn*turn%3000
		p.Attach(c, 1, registration, after)
		c.collect(1)
		if turn%2 == 0 {
			p.Gone(c)
		}
		if turn%5 == 0 {
			p.Acknowledge(registration, after)
		}
		for _, ev := range c.seen() {
			require.Equal(t, after+1, ev.Seq)
			require.Equal(t, rowOf(int64(ev.Seq)), ev.Entry.Row)
			after = ev.Seq
		}
	}
	writer.Wait()
}
