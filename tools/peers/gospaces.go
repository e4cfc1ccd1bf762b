package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// task is a job as an entry.
type task struct {
	ID, Key int64
	Payload []byte
}

var payload = make([]byte, jobSize-16)

func toTask(j job) task { return task{ID: j.id, Key: j.key, Payload: payload} }
func (t task) job() job { return job{t.ID, t.Key} }

// gospaces has a connection for those who put and one for those who take.
type gospaces struct{ putter, taker *client.Client }

func startGospaces(ctx context.Context, s *server) (queue, error) {
	err := s.run(ctx, "serve", "--listen", s.addr, "--data", s.dir+"/data", "--log-level", "warn",
		"--durability", s.either("synced", "logged"))
	if err != nil {
		return nil, err
	}
	g := new(gospaces)
	for _, c := range []**client.Client{&g.putter, &g.taker} {
		err := s.retry(ctx, func() (err error) {
			*c, err = client.Dial(ctx, s.addr)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *gospaces) close() { g.putter.Close(); g.taker.Close() }

func (g *gospaces) put(ctx context.Context, jobs ...job) error {
	if len(jobs) == 1 {
		_, err := space.Write(ctx, g.putter, toTask(jobs[0]))
		return err
	}
	tasks := make([]task, len(jobs))
	for i, j := range jobs {
		tasks[i] = toTask(j)
	}
	_, err := space.WriteAll(ctx, g.putter, tasks)
	return err
}

func (g *gospaces) ways() []way {
	return []way{
		{"Take", atMostOnce, true, g.take},
		{"TakeTxn, Commit", atLeastOnce, true, g.takeTxn},
		{"work.Run", atLeastOnce, false, g.work},
	}
}

func (g *gospaces) take(ctx context.Context, workers, batch int, done func(job)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		for {
			tasks, err := take(ctx, g.taker, batch)
			if err != nil {
				return err
			}
			for _, t := range tasks {
				done(t.job())
			}
		}
	})
}

func take(ctx context.Context, sp space.Space, batch int, opts ...space.TakeOption) ([]task, error) {
	if batch > 1 {
		return space.TakeAll(ctx, sp, task{}, batch, opts...)
	}
	t, err := space.Take(ctx, sp, task{}, opts...)
	return []task{t}, err
}

func (g *gospaces) takeTxn(ctx context.Context, workers, batch int, done func(job)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		for {
			tasks, txn, err := takeTxn(ctx, g.taker, batch)
			if err != nil {
				return err
			}
			if err := txn.Commit(ctx); err != nil {
				return err
			}
			for _, t := range tasks {
				done(t.job())
			}
		}
	})
}

func takeTxn(ctx context.Context, sp space.Space, batch int) ([]task, *space.Txn, error) {
	if batch == 1 {
		t, txn, err := space.TakeTxn(ctx, sp, task{})
		return []task{t}, txn, err
	}
	txn, err := space.Begin(ctx, sp)
	if err != nil {
		return nil, nil, err
	}
	tasks, err := space.TakeAll(ctx, sp, task{}, batch, space.In(txn))
	return tasks, txn, err
}

func (g *gospaces) work(ctx context.Context, workers, _ int, done func(job)) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var handled sync.Map // the jobs whose commits are under way, by LeaseID: reports do not contain them
	err := work.Run(ctx, g.taker, task{}, func(_ context.Context, j *work.Job[task]) error {
		handled.Store(j.ID, j.Value.job())
		return nil
	}, work.Config{Workers: workers, Report: func(r work.Report) {
		switch r.Outcome {
		case work.Done:
			j, _ := handled.LoadAndDelete(r.Job)
			done(j.(job))
		case work.Returned: // after the end of ctx
		default:
			fail(fmt.Errorf("a job is %v: %w", r.Outcome, r.Err))
		}
	}})
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return cause
	}
	return err
}

func (g *gospaces) putKeyed(ctx context.Context, jobs ...job) error { return g.put(ctx, jobs...) }

func (g *gospaces) takeKeyed(ctx context.Context, key int64) (job, bool, error) {
	t, err := space.Take(ctx, g.taker, task{Key: key}, space.NoWait())
	if errors.Is(err, space.ErrNoMatch) {
		return job{}, false, nil
	}
	return t.job(), err == nil, err
}
