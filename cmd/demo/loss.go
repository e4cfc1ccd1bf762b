package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/space"
)

// Run and FileJob are entries of examples/masterworker, with the fields that this program needs.
type Run struct {
	ID    string
	Files int
}

type FileJob struct {
	Run string
}

// loss is the death of a worker, and the return of the jobs that it held.
type loss struct {
	worker *process
	killed time.Time
	stop   context.CancelFunc // ends watching
	done   sync.WaitGroup

	// Owned by watch until done.
	back int           // jobs that came back
	took time.Duration // from the death to the return of the last job
}

// kill kills a worker with SIGKILL when half of the files are read, and watches its jobs come back.
func kill(ctx context.Context, sp space.Space, worker *process) (*loss, error) {
	run, err := space.Read(ctx, sp, Run{})
	if err != nil {
		return nil, err
	}
	jobs := FileJob{Run: run.ID}
	if err := half(ctx, sp, jobs, run.Files); err != nil {
		return nil, err
	}
	q, err := space.Match(ctx, sp, jobs)
	if err != nil {
		return nil, err
	}
	// All jobs are written and none of them fails, so a job that becomes visible from now on was held by a dead worker.
	reg, err := sp.Notify(ctx, q, space.EventTypes(space.Visible), time.Minute)
	if err != nil {
		return nil, err
	}
	l := &loss{worker: worker, killed: time.Now()}
	ctx, l.stop = context.WithCancel(ctx)
	l.done.Go(func() { l.watch(ctx, reg) })
	worker.kill()
	say(fmt.Sprintf("kill -9 %d: half of the files are read, and this worker is in the middle of some", worker.pid))
	return l, nil
}

// half waits until no more than half of the jobs are left.
func half(ctx context.Context, sp space.Space, jobs FileJob, files int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := space.Count(ctx, sp, jobs)
		if err != nil || left <= files/2 {
			return err
		}
		<-tick.C
	}
}

// watch counts the jobs that come back until ctx ends.
func (l *loss) watch(ctx context.Context, reg space.Registration) {
	defer reg.Close()
	for {
		if _, err := reg.Next(ctx); err != nil {
			return
		}
		l.back++
		l.took = time.Since(l.killed)
	}
}

// tell prints what was lost, which is nothing.
func (l *loss) tell() {
	l.stop()
	l.done.Wait()
	if l.back == 0 {
		say(fmt.Sprintf("Worker %d had no job in its hands when it was killed.", l.worker.pid))
		return
	}
	say(fmt.Sprintf("Worker %d held %d jobs when it was killed. They were back after %.1f s, "+
		"and the other workers did them.", l.worker.pid, l.back, l.took.Seconds()))
}
