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
	run    Run
	worker *process
	killed time.Time
	stop   context.CancelFunc // ends watching
	done   sync.WaitGroup

	// Owned by watch until done.
	back int           // jobs that came back
	took time.Duration // from the death to the return of the last job
}

// lease is how long the jobs of a dead worker stay away, at most: that of masterworker, and some more.
const lease = 2500 * time.Millisecond

// kill kills a worker with SIGKILL when a quarter of the files is read, and watches its jobs come back.
func kill(ctx context.Context, sp space.Space, worker *process) (*loss, error) {
	run, err := space.Read(ctx, sp, Run{})
	if err != nil {
		return nil, err
	}
	jobs := FileJob{Run: run.ID}
	if err := leaves(ctx, sp, jobs, 3*run.Files/4); err != nil {
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
	l := &loss{run: run, worker: worker, killed: time.Now()}
	ctx, l.stop = context.WithCancel(ctx)
	l.done.Go(func() { l.watch(ctx, reg) })
	worker.kill()
	say(fmt.Sprintf("kill -9 %d: a quarter of the files is read, and this worker is in the middle of some", worker.pid))
	return l, nil
}

// leaves waits until no more than some jobs are left.
func leaves(ctx context.Context, sp space.Space, jobs FileJob, number int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := space.Count(ctx, sp, jobs)
		if err != nil || left <= number {
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

// tell prints what was lost, which is nothing, when the lease of the worker has ended.
func (l *loss) tell() {
	time.Sleep(time.Until(l.killed.Add(lease)))
	l.stop()
	l.done.Wait()
	if l.back == 0 {
		say(fmt.Sprintf("Worker %d had no job in its hands when it was killed.", l.worker.pid))
		return
	}
	say(fmt.Sprintf("Worker %d held %d jobs when it was killed. They were back after %.1f s, "+
		"when the lease that these workers ask for was over, and the others do them.",
		l.worker.pid, l.back, l.took.Seconds()))
}
