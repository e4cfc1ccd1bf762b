// Package work is the loop of a worker: it takes entries as jobs, hands them to a handler, and leaves results.
//
//	err := work.Run(ctx, sp, Order{State: "new"}, func(ctx context.Context, job *work.Job[Order]) error {
//		parcel, err := pack(ctx, job.Value)
//		if err != nil {
//			return err // the order comes back later
//		}
//		return job.Stage(ctx, parcel) // the order goes and the parcel comes at one instant
//	}, work.Config{Workers: 8}, space.OrderBy("-priority"))
//
// It is written on the public API of package space alone, and works with every space.
package work

import (
	"context"
	"errors"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/space"
)

// Run takes the entries that match template as jobs, each under a transaction of its own, and calls handler for several
// at a time, until ctx ends. A worker that dies, however it dies, gives its jobs back.
//
//   - If handler returns nil, the job's transaction is committed: the job is gone, and what handler has written under
//     the transaction (Job.Stage, or any call with space.In(job.Txn)) is there, both or neither.
//   - If it returns an error, or panics, what it did under the transaction is undone, and the job comes back after a
//     delay that grows with each attempt (Config.MinBackoff), in this Run or in another. After the last attempt
//     (Config.Tries), or if the error is Permanent, the job is replaced by a DeadLetter.
//   - If the error is space.ErrDeadlock, space.ErrVersionConflict or space.ErrLocked, or the transaction was ended to
//     break a deadlock, others were in the way. Then the job is given back without a failed attempt, and the worker
//     pauses: up to 5 ms at first, twice as long with each such job, up to five seconds, and half as long with each
//     job that is done.
//   - While it runs the lease of the transaction (Config.Lease) is kept alive, also over a restart of the server. When
//     the worker dies instead, the job is back in its old place as soon as the lease ends, or the server has given the
//     worker up. That is a failed attempt of all jobs in its hands. After the last one (Config.Tries) the next worker
//     makes a dead letter of the job without calling handler: the reason is a WorkerDiedError, which names host,
//     process and time. Before that, each of these jobs is a suspect, which may have caused the death, and runs alone:
//     Run calls no other handler beside it, and holds no other job, so that the death of a worker counts against the
//     suspect only. It does not know of other calls of Run in the same process.
//   - If the transaction is lost nevertheless, handler's context ends at once, with a cause that is
//     space.ErrTxnEnded and says why; what handler returns has no effect. Cancelling the job's lease
//     (Space.Cancel) has this effect, too.
//
// So the effects of a job in the space happen exactly once. What handler does elsewhere may happen again in another
// attempt.
//
// When ctx ends, Run takes no more jobs and gives back those that wait for a handler. Running handlers can finish:
// their own contexts go on for most of Config.Drain (ten seconds). Then these end too, and the job of a handler that
// returns an error comes back at once, without a failed attempt. Run returns nil when all handlers have returned. When
// the drain time is over it returns in any case: the jobs of handlers that still run are given back, late calls under
// their transactions return space.ErrTxnEnded, and the error is a *DrainError with the number of these handlers. A
// handler must not end its transaction itself.
//
// Entries that T cannot hold become dead letters. While the space cannot be reached, Run retries. If it cannot go on
// (space.ErrClosed, space.ErrDropped, space.ErrInvalidArgument, space.ErrSchemaConflict), it drains as above and
// returns the error. With the option space.Wait or space.NoWait it also ends, with nil, when no job has come for that
// time and none is being done. Jobs that come back later do not count.
//
// Jobs are taken oldest first, or in the order of space.OrderBy.
func Run[T any](
	ctx context.Context, sp space.Space, template T, handler func(ctx context.Context, job *Job[T]) error, cfg Config,
	find ...space.FindOption,
) error {
	if handler == nil {
		return invalid("there is no handler")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	jobs, err := prepare(ctx, sp, template, &cfg, find)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	l := newLoop(ctx, sp, jobs.Query(), cfg)
	l.handle = func(ctx context.Context, t *task) error {
		v, err := jobs.Decode(&t.entry)
		if err != nil {
			return Permanent(err)
		}
		return handler(ctx, &Job[T]{Value: v, ID: t.entry.ID, Attempts: int(t.entry.Attempts), Txn: t.txn})
	}
	return l.run()
}

// prepare compiles the query for jobs. It waits until the space can be reached, or ctx ends.
func prepare[T any](
	ctx context.Context, sp space.Space, template T, cfg *Config, find []space.FindOption,
) (*space.Prepared[T], error) {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		jobs, err := space.Prepare(ctx, sp, template, readOptions(find)...)
		if err == nil {
			return jobs, nil
		}
		if !unreachable(err) {
			return nil, err
		}
		cfg.Report(Report{Outcome: TakeFailed, Err: err, Delay: pause})
		if err := backoff.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// readOptions returns opts for Prepare.
func readOptions[O space.FindOption](opts []O) []space.ReadOption {
	read := make([]space.ReadOption, len(opts))
	for i, o := range opts {
		read[i] = o
	}
	return read
}
