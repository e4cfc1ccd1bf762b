package partition_test

import (
	"context"
	"errors"
	"fmt"
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

// shared is one of several partitions' views of a tape, as nodes of a cluster share a log.
type shared struct {
	*tape
	known    uint64   // the position that the next append follows
	claiming func()   // called before each claim
	read     []uint64 // where each CatchUp began

	noting sync.Mutex
	claims []time.Time // times of successful claims; guarded by noting
}

// fence is the error of a writer that does not know all of the log.
type fence struct{ refusal }

func (fence) Fenced() bool { return true }

func (l *shared) check(follows uint64) error {
	if last := l.Last(); last != follows {
		return fmt.Errorf("log: %w", fence{refusal{errors.New("another has written")}})
	}
	return nil
}

func (l *shared) Append(msg []byte) error {
	if err := l.check(l.known); err != nil {
		return err
	}
	l.known++
	return l.tape.Append(msg)
}

func (l *shared) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (uint64, error) {
	l.read = append(l.read, after)
	return l.tape.CatchUp(ctx, after, apply, progress)
}

func (l *shared) Claim(_ context.Context, follows uint64, _ record.Clock) (record.Group, error) {
	if l.claiming != nil {
		l.claiming()
	}
	if err := l.check(follows); err != nil {
		return record.Group{}, err
	}
	l.noting.Lock()
	defer l.noting.Unlock()
	l.known, l.claims = follows, append(l.claims, time.Now())
	return record.Group{Position: follows}, nil
}

// claimed returns the times at which the partition has claimed the log.
func (l *shared) claimed() []time.Time {
	l.noting.Lock()
	defer l.noting.Unlock()
	return slices.Clone(l.claims)
}

// sharing starts a partition with a view of the tape.
func sharing(t *testing.T, log *tape) (*partition.Partition, *shared) {
	t.Helper()
	l := &shared{tape: log}
	p := partition.New(partition.Config{Log: l})
	require.NoError(t, p.Start(t.Context(), nil))
	return p, l
}

// registerJob makes the kind of jobs.
func registerJob(p *partition.Partition) {
	p.Register(newCaller(), 1, job)
	synctest.Wait()
}

func writeTo(p *partition.Partition, key int64) error {
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(key))
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.replies[1].err, c.lost)
}

func keysIn(p *partition.Partition) (keys []int64) {
	for key := range int64(10) {
		c := newCaller()
		p.Find(c, 1, query(key, false), 0)
		if c.await(1).err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// A primary that another has replaced tells its callers, follows the log to its end, waits, and only then claims.
func TestPartition_FencedFollowsBeforeItClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &tape{}
		p, view := sharing(t, log)
		defer p.Close()
		registerJob(p)
		require.NoError(t, writeTo(p, 1))
		q, _ := sharing(t, log)
		defer q.Close()
		require.NoError(t, writeTo(q, 2))

		before := time.Now()
		require.ErrorIs(t, writeTo(p, 3), call.ErrUnavailable)
		require.ErrorIs(t, p.Err(), call.ErrUnavailable)
		require.Len(t, view.claimed(), 1)
		time.Sleep(time.Second)
		require.NoError(t, p.Err())
		require.Equal(t, []int64{1, 2}, keysIn(p))
		require.Len(t, view.claimed(), 2)
		require.Greater(t, view.claimed()[1].Sub(before), 20*time.Millisecond, "it has waited")
		require.NoError(t, writeTo(p, 4))
		require.ErrorIs(t, writeTo(q, 5), call.ErrUnavailable)
		time.Sleep(time.Second)
		require.Equal(t, []int64{1, 2, 4}, keysIn(q))
		require.Equal(t, p.Hash(), q.Hash())
	})
}

// A candidate that is overtaken continues from the state that it has.
func TestPartition_OvertakenCandidateReadsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &tape{}
		q, _ := sharing(t, log)
		defer q.Close()
		registerJob(q)
		require.NoError(t, writeTo(q, 1))
		late := [][]byte{slices.Clone(log.msgs[1])}
		require.NoError(t, q.Close())

		view := &shared{tape: &tape{msgs: slices.Clone(log.msgs[:1])}}
		view.claiming = func() {
			if len(late) > 0 {
				view.msgs, late = append(view.msgs, late[0]), nil
			}
		}
		p := partition.New(partition.Config{Log: view})
		require.NoError(t, p.Start(t.Context(), nil))
		defer p.Close()
		require.Equal(t, []uint64{0, 1}, view.read, "it has not read anew what it had")
		require.Equal(t, []int64{1}, keysIn(p))
		require.NoError(t, writeTo(p, 2))
	})
}
