package partition_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// roomy is a tape that may have no room for anything.
type roomy struct {
	*tape
	full atomic.Bool
}

func (l *roomy) check() error {
	if l.full.Load() {
		return fmt.Errorf("log: %w", fullness{refusal{errors.New("the disk is full")}})
	}
	return nil
}

func (l *roomy) Append(msg []byte) error {
	if err := l.check(); err != nil {
		return err
	}
	return l.tape.Append(msg)
}

func (l *roomy) Claim(ctx context.Context, follows uint64, clock record.Clock) (record.Group, error) {
	if err := l.check(); err != nil {
		return record.Group{}, err
	}
	return l.tape.Claim(ctx, follows, clock)
}

// A partition whose log has no room serves reads, from the start and after a refused append, and everything once there
// is room. The log then has the ends of leases in the meantime.
func TestPartition_WithoutRoomIsServedForReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &roomy{tape: &tape{}}
		p := partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(context.Background(), nil))
		defer func() { require.NoError(t, p.Close()) }()
		do := func(callID func(c *caller)) *outcome {
			c := newCaller()
			callID(c)
			return c.await(1)
		}
		write := func(key int64, lease int64) error {
			c := newCaller()
			p.Write(c, 1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: rowOf(key), Lease: lease}})
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return errors.Join(c.replies[1].err, c.lost)
		}
		count := func() int {
			return do(func(c *caller) {
				p.Count(c, 1, &call.Query{Max: 1, Templates: []call.Template{{Kind: 1}}})
			}).count
		}
		readingOnly := func() {
			t.Helper()
			require.NoError(t, do(func(c *caller) { p.Find(c, 1, query(1, false), 0) }).err)
			require.NoError(t, do(func(c *caller) { p.Register(c, 1, job) }).err, "it is there already")
			for _, callID := range []func(c *caller){
				func(c *caller) { p.Find(c, 1, query(1, true), 0) },
				func(c *caller) { p.Find(c, 1, query(9, false), time.Hour) },
				func(c *caller) { p.BeginTxn(c, 1, call.Forever, call.Request{}, "") },
				func(c *caller) { p.Cancel(c, 1, call.Request{}, []uint64{1}) },
				func(c *caller) { p.Write(c, 1, txn.ID{}, call.Request{}, draft(9)) },
			} {
				require.ErrorIs(t, do(callID).err, call.ErrLogFull)
			}
		}

		require.NoError(t, do(func(c *caller) { p.Register(c, 1, job) }).err)
		require.NoError(t, write(1, call.Forever))
		require.NoError(t, write(2, int64(time.Minute)))
		log.full.Store(true)
		require.ErrorIs(t, write(3, call.Forever), call.ErrLogFull)
		time.Sleep(10 * time.Second)
		require.Equal(t, 2, count(), "what was refused is not there")
		readingOnly()
		time.Sleep(time.Minute)
		require.Equal(t, 1, count(), "leases end")
		log.full.Store(false)
		time.Sleep(10 * time.Second)
		require.NoError(t, write(4, int64(time.Minute)))
		require.Equal(t, 2, count())

		require.NoError(t, p.Close())
		log.full.Store(true)
		p = partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(context.Background(), nil))
		require.Equal(t, 2, count())
		readingOnly()
		log.full.Store(false)
		time.Sleep(2 * time.Minute)
		require.NoError(t, write(5, call.Forever))
		require.Equal(t, 2, count())
		require.NoError(t, p.Close())

		p = partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(context.Background(), nil))
		require.Equal(t, 2, count())
	})
}

// A read-only partition shows the state that there will be when there is room: without the locks of a transaction that
// a restart ends, or whose lease is over.
func TestPartition_WhatIsServedForReadingHasNoStaleLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, d := &roomy{tape: &tape{}}, &desk{caller: newCaller()}
		p := partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(t.Context(), nil))
		d.do(func(c partition.Caller, n uint64) { p.Register(c, n, job) })
		d.do(func(c partition.Caller, n uint64) {
			p.Write(c, n, txn.ID{}, call.Request{}, append(draft(1), draft(2)...))
		})
		for key := range int64(2) {
			g := d.do(func(c partition.Caller, n uint64) { p.BeginTxn(c, n, int64(time.Minute), call.Request{}, "") }).grants[0]
			q := query(key+1, true)
			q.Txn = txn.ID{Number: g.ID}
			require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Find(c, n, q, 0) }).err)
			if key == 0 {
				require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Write(c, n, q.Txn, call.Request{}, draft(9)) }).err)
			}
		}
		require.NoError(t, p.Close())

		log.full.Store(true)
		p = partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(t.Context(), nil))
		defer p.Close()
		found := func(key int64) error {
			return d.do(func(c partition.Caller, n uint64) { p.Find(c, n, query(key, false), 0) }).err
		}
		require.NoError(t, found(1))
		require.ErrorIs(t, found(2), call.ErrNoMatch)
		time.Sleep(2 * time.Minute)
		require.NoError(t, found(2))
	})
}

// A committed transaction over several spaces is visible in a read-only space, although its log has no room for the
// effects: at once, after a restart, and when there is room.
func TestPartition_WhatIsServedForReadingHasWhatWasDecided(t *testing.T) {
	t.Parallel()
	for name, full := range map[string][]string{
		"a branch": {"b"}, "two branches": {"b", "c"}, "home and branches": {"b", "c", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, func() *tape { return new(tape) })
				defer func() { f.close() }()
				id := f.atWork()
				fill := func(on bool) {
					for _, name := range full {
						f.rooms[name].full.Store(on)
					}
				}
				seen := func(after time.Duration) {
					t.Helper()
					time.Sleep(after)
					for _, name := range f.names() {
						require.True(t, f.has(name, 2), name)
						require.False(t, f.has(name, 1), name)
					}
				}
				f.tapes["a"].around = func(before bool) {
					if !before {
						fill(true) // the decision is stored
					}
				}
				require.NoError(t, f.commit(id))
				f.tapes["a"].around = nil
				seen(10 * time.Second)
				write := func(c *caller) { f.parts["b"].Write(c, 1, txn.ID{}, call.Request{}, draft(9)) }
				require.ErrorIs(t, f.do(write).err, call.ErrLogFull)

				f.close()
				f.start()
				f.spans.Start(t.Context())
				seen(0)

				fill(false)
				seen(10 * time.Second)
				f.ok(write)
				for _, p := range f.parts {
					require.Empty(t, p.Participant().Branches())
					require.Empty(t, p.Participant().Decisions())
				}
			})
		})
	}
}
