package space

import (
	"context"
	"errors"
)

// Work takes the entries that match template, as jobs, each under a transaction of its own, and calls handler for them, for several
// at a time, until ctx ends. What a job needs to be done safely is in the transaction: a worker that dies, however it dies, gives its
// jobs back.
//
//   - When handler returns nil the job's transaction is committed: the job is gone, and what handler has written under the
//     transaction (Job.Stage, or any call with In(job.Txn)) is there, both or neither.
//   - When it returns an error, or panics, what it did under the transaction is undone, and the job comes back after a delay that grows
//     with each attempt (Backoff), in this Work or in another. After the last attempt (Tries), or if the error is Permanent, the job
//     is replaced by a DeadLetter.
//   - While it runs the lease of the transaction (For; one minute) is kept alive, also over a restart of the server. When the worker dies
//     instead the job is back in its old place as soon as the lease ends, or the server has given the worker up. That is a failed attempt
//     of all jobs in its hands; after the last one (Tries) the next worker makes a dead letter of the job, without calling handler: the
//     reason is a WorkerDiedError, which names host and process, and the time. A job that was in such hands may be the cause: before
//     it begins Work gives back those that wait for a handler, and takes none ahead (Prefetch) until it has ended.
//   - When the transaction is lost nevertheless, handler's context ends at once, with a cause that is ErrTxnEnded and says why, and whatever handler
//     returns, nothing of it happens. So it is when somebody cancels the job's lease (Cancel).
//
// So the effects of a job in the space happen exactly once. What handler does elsewhere may be done again, by another attempt.
//
// Handlers should run to their end when ctx ends, and can: their own context goes on. Work takes no more jobs, gives back at once those that wait for a
// handler, and leaves the running handlers most of the time that Drain says (ten seconds) to finish; then their contexts end too, and the job of
// one that returns an error is back at once, without a failed attempt. Work returns when all of them have returned: nil, since that is how
// it is meant to end. When the drain time is over it returns in any case: the jobs of handlers that still run are given back, which their late calls
// under the transaction are told by ErrTxnEnded, and the error is a *DrainError, which counts these handlers. A handler must not end its transaction itself.
//
// Entries that T cannot hold become dead letters. While the space cannot be reached Work tries again and again. It ends by itself when it
// cannot go on (ErrClosed, ErrInvalidArgument, ErrSchemaConflict), after draining as above, with the error; and, with the
// option Wait or NoWait, when no job has come for so long and none is being done, with nil. Jobs that are to come back later do not count.
//
// Jobs are taken oldest first, or in the order of OrderBy. Options: Where, Or, OrderBy (say, by priority), Wait, NoWait, For, and those
// that only Work has: Workers, Prefetch, Tries, Backoff, Drain, DeadLetters, Report.
func Work[T any](ctx context.Context, sp Space, template T, handler func(ctx context.Context, job *Job[T]) error, opts ...Option) error {
	if handler == nil {
		return invalid("there is no handler")
	}
	codec, w, err := newWork(ctx, sp, &template, opts)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	w.handle = func(ctx context.Context, t *task) error {
		job := &Job[T]{ID: t.entry.ID, Attempts: int(t.entry.Attempts), Txn: t.txn}
		if err := codec.Decode(&t.entry, &job.Value); err != nil {
			return Permanent(err)
		}
		return handler(ctx, job)
	}
	if w.letter, err = letterFor[T](codec, w.options.letter); err != nil {
		return err
	}
	return w.run(ctx)
}

// Job is an entry that Work has taken, in the hands of a handler. It is good until the handler returns.
type Job[T any] struct {
	Value    T
	ID       LeaseID // of the entry: the same in every attempt
	Attempts int     // how often it has failed before; 0 in the first attempt

	// Txn is the transaction under which the job was taken. Calls with In(job.Txn) happen if the handler succeeds. The handler must
	// neither commit nor abort it.
	Txn *Txn
}

// Stage has v, a struct or a pointer to one, written when the handler succeeds, along with the end of the job and without a
// call of its own. Options: For, Delay. It returns the errors of Write; those that only the space can know, the handler's success then turns into:
// a result that is too large fails the job.
func (j *Job[T]) Stage(ctx context.Context, v any, opts ...Option) error {
	return Stage(ctx, j.Txn, v, opts...)
}
