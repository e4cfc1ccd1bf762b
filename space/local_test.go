package space_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func TestTake_WaitsForAWrite(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		var got Task
		var done sync.WaitGroup
		done.Go(func() {
			var err error
			got, err = space.Take(ctx, sp, Task{State: "new"})
			require.NoError(t, err)
		})
		synctest.Wait()
		write(t, sp, Task{ID: 1, State: "old"}, Task{ID: 2, State: "new"})
		done.Wait()
		require.Equal(t, 2, got.ID)
		require.Equal(t, 1, count(t, sp, Task{}))
	})
}

func TestTake_WaitEnds(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		begin := time.Now()
		_, err := space.Take(ctx, sp, Task{}, space.Wait(time.Minute))
		require.ErrorIs(t, err, space.ErrNoMatch)
		require.Equal(t, time.Minute, time.Since(begin))

		_, err = space.TakeIfExists(ctx, sp, Task{}, space.Wait(time.Minute))
		require.ErrorIs(t, err, space.ErrNoMatch)
		require.Equal(t, time.Minute, time.Since(begin), "nothing is locked, so there is nothing to wait for")
	})
}

func TestTake_ContextEnds(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := space.Take(short, sp, Task{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = space.Take(short, sp, Task{})
		require.ErrorIs(t, err, context.DeadlineExceeded, "a call that begins too late")

		write(t, sp, Task{ID: 1})
		require.Equal(t, 1, count(t, sp, Task{}), "the cancelled wait has taken nothing")
	})
}

// A take whose context ends while its entry is granted either returns the entry or leaves it; it is never lost.
func TestTake_CancelledWaiterKeepsEntry(t *testing.T) {
	t.Parallel()
	const n = 500
	sp := newSpace(t)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			switch _, err := space.Take(ctx, sp, Task{}); {
			case err == nil:
				taken.Add(1)
			default:
				require.ErrorIs(t, err, context.Canceled)
			}
		})
		all.Go(func() {
			write(t, sp, Task{ID: 1})
			cancel()
		})
	}
	all.Wait()
	require.Equal(t, n, int(taken.Load())+count(t, sp, Task{}))
}

func TestTake_KindThatNobodyWrote(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		q := space.Query{Templates: []*template.Template{{Kind: "task"}}}
		none := q
		none.NoWait = true
		_, err := sp.Take(ctx, none)
		require.ErrorIs(t, err, space.ErrNoMatch)
		n, err := sp.Count(ctx, none)
		require.NoError(t, err)
		require.Zero(t, n)
		for _, err := range sp.Contents(ctx, none) {
			require.NoError(t, err)
			require.Fail(t, "there is an entry")
		}
		kinds, err := sp.Kinds(ctx)
		require.NoError(t, err)
		require.Empty(t, kinds, "asking did not make the kind known")

		found := make(chan []space.Entry, 1)
		go func() {
			entries, err := sp.Take(ctx, q)
			require.NoError(t, err)
			found <- entries
		}()
		synctest.Wait()
		write(t, sp, Task{ID: 7})
		require.Equal(t, map[string]any{"id": int64(7), "state": "", "priority": int64(0)}, (<-found)[0].Fields())
	})
}

func TestClose(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		reg, err := space.Notify(ctx, sp, Task{})
		require.NoError(t, err)
		ended := make(chan error, 2)
		go func() {
			_, err := space.Take(ctx, sp, Task{})
			ended <- err
		}()
		go func() {
			_, err := reg.Next(ctx)
			ended <- err
		}()
		synctest.Wait()
		require.NoError(t, sp.Close())
		require.NoError(t, sp.Close())
		require.ErrorIs(t, <-ended, space.ErrClosed)
		require.ErrorIs(t, <-ended, space.ErrClosed)

		_, err = space.Write(ctx, sp, Task{})
		require.ErrorIs(t, err, space.ErrClosed)
		_, err = reg.Next(ctx)
		require.ErrorIs(t, err, space.ErrClosed)
		require.NoError(t, reg.Close())
		for _, err := range space.Contents(ctx, sp, Task{}) {
			require.ErrorIs(t, err, space.ErrClosed)
		}
	})
}

func TestUntypedCalls_Refused(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	task := func(change func(*space.Query)) space.Query {
		q := space.Query{Templates: []*template.Template{{Kind: "task"}}, NoWait: true}
		change(&q)
		return q
	}
	eq := func(field int, v template.Value) []template.Cond {
		return []template.Cond{{Field: field, Op: template.Eq, Value: v}}
	}
	for name, q := range map[string]space.Query{
		"no template":        {},
		"negative wait":      task(func(q *space.Query) { q.Wait = -1 }),
		"negative max":       task(func(q *space.Query) { q.Max = -1 }),
		"field out of range": task(func(q *space.Query) { q.Templates[0].Conds = eq(4, template.AppendInt(nil, 1)) }),
		"operand of another class": task(func(q *space.Query) {
			q.Templates[0].Conds = eq(0,
				template.AppendString(nil, "1"))
		}),
		"conditions without a kind": task(func(q *space.Query) {
			q.Templates[0] = &template.Template{Conds: eq(0,
				template.AppendInt(nil, 1))}
		}),
		"conditions of an unknown one": task(func(q *space.Query) {
			q.Templates[0] = &template.Template{Kind: "x", Conds: eq(0, template.AppendInt(nil, 1))}
		}),
		"order without a kind": task(func(q *space.Query) {
			q.Templates[0], q.Order = &template.Template{},
				[]template.Order{{}}
		}),
		"order out of range": task(func(q *space.Query) { q.Order = []template.Order{{Field: 9}} }),
	} {
		_, err := sp.Take(ctx, q)
		require.ErrorIs(t, err, space.ErrInvalidArgument, name)
	}
	for name, drafts := range map[string][]space.Draft{
		"nothing":        nil,
		"unknown kind":   {{Kind: "x", Lease: space.Forever}},
		"negative lease": {{Kind: "task"}, {Kind: "task", Lease: -1}},
		"malformed row":  {{Kind: "task", Row: template.Row{200}, Lease: space.Forever}},
		"too many fields": {{
			Kind: "task", Lease: space.Forever,
			Row: template.Row{0, 0, 0, 0, 1, 3},
		}},
	} {
		_, err := sp.Write(ctx, txn.ID{}, drafts)
		require.ErrorIs(t, err, space.ErrInvalidArgument, name)
	}
	_, err := sp.Register(ctx, &template.Schema{Kind: "sub", Supers: []string{"nobody"}})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.Equal(t, 1, count(t, sp, Task{}))
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{MaxEntry: 100, MaxCall: 150})
	defer sp.Close()
	_, err := space.Write(t.Context(), sp, sample{Raw: make([]byte, 100)})
	require.ErrorIs(t, err, space.ErrTooLarge)
	_, err = space.WriteAll(t.Context(), sp, []sample{{Raw: make([]byte, 60)}, {Raw: make([]byte, 60)}})
	require.ErrorIs(t, err, space.ErrTooLarge)
	require.Zero(t, count(t, sp, sample{}))
}

func TestKinds(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Task{}, Task{})
	write(t, sp, Order{})
	kinds, err := sp.Kinds(t.Context())
	require.NoError(t, err)
	counts := ""
	for _, k := range kinds {
		counts += fmt.Sprintf("%s:%d ", k.Schema.Kind, k.Count)
	}
	require.Equal(t, "order:1 payment:0 task:2 ", counts)
}

func TestContents_YieldsEachOnceWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	const n = 2000
	ctx, sp := t.Context(), newSpace(t)
	for i := range n {
		write(t, sp, Task{ID: i, State: "stays"}, Task{ID: i, State: "goes"})
	}
	var others sync.WaitGroup
	others.Go(func() {
		for i := range n {
			write(t, sp, Task{ID: n + i, State: "comes"})
			_, err := space.Take(ctx, sp, Task{State: "goes"})
			require.NoError(t, err)
		}
	})
	seen := map[int]int{}
	for task, err := range space.Contents(ctx, sp, Task{}) {
		require.NoError(t, err)
		if task.State == "stays" {
			seen[task.ID]++
		}
	}
	others.Wait()
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, "task %d", id)
	}
}

func TestContents_CancelledEndsWithAnError(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, make([]Task, 1000)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, last = range space.Contents(ctx, sp, Task{}) {
		cancel()
	}
	require.ErrorIs(t, last, context.Canceled)
}

// Many callers on few entries: each entry is taken as often as it was written.
func TestLocal_ConcurrentCallers(t *testing.T) {
	t.Parallel()
	const callers, rounds = 16, 200
	sp := newSpace(t)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				task := Task{ID: rand.IntN(4) + 1}
				write(t, sp, task)
				got, err := space.Take(t.Context(), sp, Task{ID: task.ID})
				require.NoError(t, err)
				require.Equal(t, task.ID, got.ID)
			}
		})
	}
	all.Wait()
	require.Zero(t, count(t, sp, Task{}))
}

// logged returns a space whose outcomes wait for log.
func logged(t testing.TB, log partition.Log) space.Space {
	t.Helper()
	p := partition.New(partition.Config{Log: log})
	require.NoError(t, p.Start(context.Background(), nil))
	return local.New(p, nil)
}

func TestLogged_OutcomesWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{gate: make(chan struct{}, 1000)}
		sp := logged(t, log)
		defer sp.Close()
		var outcomes atomic.Int64
		go func() {
			write(t, sp, Task{ID: 1})
			outcomes.Add(1)
		}()
		synctest.Wait()
		require.Zero(t, outcomes.Load(), "not durable yet")
		for range cap(log.gate) {
			log.gate <- struct{}{}
		}
		synctest.Wait()
		require.EqualValues(t, 1, outcomes.Load())
		require.Equal(t, 1, count(t, sp, Task{}))
	})
}

func TestLogged_LostAppendIsAnUnknownOutcome(t *testing.T) {
	for name, stored := range map[string]int{"stored": 1, "not stored": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, log := t.Context(), &memoryLog{}
				sp := logged(t, log)
				defer sp.Close()
				write(t, sp, Task{ID: 1})
				reg, err := space.Notify(ctx, sp, Task{})
				require.NoError(t, err)

				log.failNext(stored == 1)
				_, err = space.Write(ctx, sp, Task{ID: 2})
				require.ErrorIs(t, err, space.ErrOutcomeUnknown)
				_, err = space.Write(ctx, sp, Task{ID: 3})
				require.ErrorIs(t, err, space.ErrUnavailable)
				time.Sleep(time.Minute) // the state is rebuilt from the log meanwhile
				require.Equal(t, 1+stored, count(t, sp, Task{}))

				write(t, sp, Task{ID: 4})
				if stored == 1 {
					require.Equal(t, 2, nextTask(t, reg).ID)
				}
				require.Equal(t, 4, nextTask(t, reg).ID, "the registration has survived")
			})
		})
	}
}

// nextTask returns the task of the next event, which must be no gap.
func nextTask(t testing.TB, reg space.Registration) Task {
	t.Helper()
	e, err := reg.Next(context.Background())
	require.NoError(t, err)
	require.Equal(t, space.Written, e.Type)
	task, err := space.Decode[Task](e.Entry)
	require.NoError(t, err)
	return task
}
