package partition_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// timed is a partition whose machine's wall clock can be set, and what it logs.
type timed struct {
	t    *testing.T
	p    *partition.Partition
	tape *tape
	set  time.Duration // offset of the wall clock
	said bytes.Buffer
}

func newTimed(t *testing.T) *timed {
	x := &timed{t: t, tape: &tape{}}
	x.start()
	x.do(func(c *caller) { x.p.Register(c, 1, job) })
	return x
}

func (x *timed) start() {
	x.said.Reset()
	x.p = partition.New(partition.Config{
		Log: x.tape, Logger: slog.New(slog.NewTextHandler(&x.said, nil)),
		Wall: func() time.Time { return time.Now().Add(x.set) },
	})
	require.NoError(x.t, x.p.Start(context.Background(), nil))
}

func (x *timed) restart() {
	require.NoError(x.t, x.p.Close())
	x.start()
}

// do makes a call, and returns once it is in the log.
func (x *timed) do(callID func(c *caller)) *outcome {
	c := newCaller()
	callID(c)
	synctest.Wait()
	o := c.await(1)
	require.NoError(x.t, o.err)
	return o
}

func (x *timed) write(key int64, lease, delay time.Duration) {
	x.do(func(c *caller) {
		x.p.Write(c, 1, txn.ID{}, call.Request{},
			[]call.Draft{{Kind: 1, Row: rowOf(key), Lease: int64(lease), Delay: int64(delay)}})
	})
}

func (x *timed) visible() int {
	q := &call.Query{Max: 1, Templates: []call.Template{{Kind: 1}}}
	return x.do(func(c *caller) { x.p.Count(c, 1, q) }).count
}

// Leases and delays take as long as requested, whatever happens to the wall clock meanwhile.
func TestClock_StepsOfTheWallClockNeitherEndNorStretchLeases(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			x := newTimed(t)
			x.write(1, 10*time.Second, 0)
			x.write(2, time.Hour, 20*time.Second)
			x.set = step
			time.Sleep(9 * time.Second)
			require.Equal(t, 1, x.visible())
			time.Sleep(2 * time.Second)
			require.Equal(t, 0, x.visible())
			time.Sleep(8 * time.Second)
			require.Equal(t, 0, x.visible())
			time.Sleep(2 * time.Second)
			require.Equal(t, 1, x.visible())
			require.Contains(t, x.said.String(), "the machine's clock was set; the space's time goes on as before")
			require.Contains(t, x.said.String(), "by="+step.String())
			require.NoError(t, x.p.Close())
		})
	}
}

// After a restart the time continues from the log. The time in between counts, except for changes of the wall clock
// while the space was served, and for a wall clock that was set back.
func TestClock_GoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  time.Duration
		says string
	}{
		"as it was":          {0, ""},
		"back, while it ran": {-time.Hour, "the space's time is not that of the machine's clock"},
		"on, while it ran":   {time.Hour, "the space's time is not that of the machine's clock"},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := newTimed(t)
			x.write(1, 10*time.Second, 0)
			x.set += c.set
			x.write(2, time.Second, 0) // the log has the time
			require.NoError(t, x.p.Close())
			time.Sleep(4 * time.Second)
			x.start()
			require.Equal(t, 1, x.visible(), name)
			require.Contains(t, x.said.String(), c.says, name)
			time.Sleep(5 * time.Second)
			require.Equal(t, 1, x.visible(), name)
			time.Sleep(2 * time.Second)
			require.Equal(t, 0, x.visible(), name)
			require.NoError(t, x.p.Close())
		})
	}
}

// A truncated log has the time in the image with which it begins.
func TestClock_GoesOnFromAnImage(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{0, -time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			x := newTimed(t)
			x.write(1, 10*time.Second, 0)
			x.set = step
			image := new(sheet)
			_, err := x.p.Snapshot(t.Context(), func(_ uint64, clock record.Clock) (partition.Image, error) {
				x.tape.clock = clock
				return image, nil
			})
			require.NoError(t, err)
			require.NoError(t, x.p.Close())
			x.tape.msgs, x.tape.image = nil, image.records
			time.Sleep(4 * time.Second)
			x.start()
			require.Equal(t, 1, x.visible(), step)
			time.Sleep(5 * time.Second)
			require.Equal(t, 1, x.visible(), step)
			time.Sleep(2 * time.Second)
			require.Equal(t, 0, x.visible(), step)
			require.NoError(t, x.p.Close())
		})
	}
}

// A log from the future, as the machine sees it, freezes nothing: the space continues from the log's time.
func TestClock_LogFromTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newTimed(t)
		x.write(1, 10*time.Second, 0)
		x.set = -time.Hour
		x.restart()
		require.Contains(t, x.said.String(), "the log is from the future")
		require.Contains(t, x.said.String(), "future=1h0m0s")
		time.Sleep(9 * time.Second)
		require.Equal(t, 1, x.visible())
		time.Sleep(2 * time.Second)
		require.Equal(t, 0, x.visible())
		x.write(2, 10*time.Second, 0)
		x.restart()
		require.NotContains(t, x.said.String(), "the log is from the future", "it is told once")
		time.Sleep(11 * time.Second)
		require.Equal(t, 0, x.visible())
		require.NoError(t, x.p.Close())
	})
}

// A follower that has to fetch what was appended long ago does not take the time of that for the time that it is now.
func TestClock_WhatWasFetchedIsOfThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{news: make(chan struct{})}
		start := func(late bool) *partition.Partition {
			p := partition.New(partition.Config{
				Log: &page{ledger: l, late: late}, Standby: true, Patience: 250 * time.Millisecond,
			})
			require.NoError(t, p.Start(t.Context(), nil))
			synctest.Wait()
			require.NoError(t, p.Lead(t.Context()))
			return p
		}
		p := start(false)
		registerJob(p)
		p.Write(newCaller(), 2, txn.ID{}, call.Request{},
			[]call.Draft{{Kind: 1, Row: rowOf(1), Lease: int64(5 * time.Second)}})
		synctest.Wait()
		require.NoError(t, p.Close())

		time.Sleep(10 * time.Second) // in which no one leads
		p = start(true)
		defer p.Close()
		time.Sleep(time.Second)
		require.Zero(t, p.Stats().Entries, "its lease has ended meanwhile")
	})
}
