package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// worker does the jobs of one run.
type worker struct {
	space    space.Space
	parallel int           // files at a time
	lease    time.Duration // after its death, its jobs come back when this has passed
	log      io.Writer
}

// errFinished is the cause with which the work of a finished run ends.
var errFinished = errors.New("the run is finished")

// run waits for a run, works for it and returns when it is finished. When ctx ends it first finishes the jobs in
// progress.
func (w worker) run(ctx context.Context) error {
	run, err := space.Read(ctx, w.space, Run{})
	if err != nil {
		return fmt.Errorf("wait for a run: %w", err)
	}
	working, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		stop(w.finished(working, run))
	}()
	err = w.work(working, run)
	stop(err)
	<-watched
	if cause := context.Cause(working); err == nil && !errors.Is(cause, errFinished) {
		return cause
	}
	return err
}

// work does jobs until ctx ends. A job and its result are one transaction: until that commits, when the function
// returns nil, the job is only lent. If this process dies, the job comes back when the lease ends, which is kept alive
// until then.
func (w worker) work(ctx context.Context, run Run) error {
	var stats work.Stats
	err := work.Run(ctx, w.space, FileJob{Run: run.ID}, func(ctx context.Context, job *work.Job[FileJob]) error {
		result := analyze(run.Root, job.Value.File)
		result.Run = run.ID
		return job.Stage(ctx, result, space.For(keep))
	}, work.Config{Workers: w.parallel, Lease: w.lease, Report: stats.Add})
	fmt.Fprintf(w.log, "worker: %d files\n", stats.Count(work.Done))
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return nil
}

// finished waits for the end of a run and returns errFinished, or the error of the wait.
func (w worker) finished(ctx context.Context, run Run) error {
	if _, err := space.Read(ctx, w.space, RunFinished{Run: run.ID}); err != nil {
		return fmt.Errorf("wait for the end of the run: %w", err)
	}
	return errFinished
}
