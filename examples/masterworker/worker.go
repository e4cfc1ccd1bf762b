package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/space"
)

// handful is how many jobs a worker takes at a time: enough to make the way to the space cheap, few enough that no
// worker is left holding many jobs while the others have none.
const handful = 16

// worker does the jobs of one run.
type worker struct {
	space    space.Space
	parallel int // files at a time
	log      io.Writer
}

// errFinished is the cause that ends the waits of a worker whose run is over.
var errFinished = errors.New("the run is finished")

// run waits for a run, works for it and returns when it is finished. When ctx ends it still does the jobs that it holds.
func (w worker) run(ctx context.Context) error {
	job, err := space.Read(ctx, w.space, Run{})
	if err != nil {
		return fmt.Errorf("wait for a run: %w", err)
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var (
		group sync.WaitGroup
		files atomic.Int64
	)
	for range max(w.parallel, 1) {
		group.Go(func() {
			if err := w.work(working, job, &files); err != nil {
				stop(err)
			}
		})
	}
	group.Go(func() {
		if _, err := space.Read(working, w.space, RunFinished{Run: job.ID}); err != nil {
			stop(fmt.Errorf("wait for the end of the run: %w", err))
			return
		}
		stop(errFinished)
	})
	group.Wait()
	fmt.Fprintf(w.log, "worker: %d files\n", files.Load())
	if err := context.Cause(working); !errors.Is(err, errFinished) {
		return err
	}
	return nil
}

// work takes jobs and writes results until ctx ends. A cancelled wait never takes an entry with it, so a job that was
// taken is in our hands, and its result is written even if ctx ends meanwhile.
func (w worker) work(ctx context.Context, run Run, files *atomic.Int64) error {
	for {
		jobs, err := space.TakeAll(ctx, w.space, FileJob{Run: run.ID}, handful)
		if ctx.Err() != nil && len(jobs) == 0 {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("take jobs: %w", err)
		}
		results := make([]FileResult, len(jobs))
		for i, job := range jobs {
			results[i] = analyze(run.Root, job.File)
			results[i].Run = run.ID
		}
		if _, err := space.WriteAll(context.WithoutCancel(ctx), w.space, results, space.For(time.Hour)); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
		files.Add(int64(len(jobs)))
	}
}
