package space_test

import (
	"context"
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
