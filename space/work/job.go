package work

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/space"
)

// Job is an entry that Run has taken and handed to a handler. It is valid until the handler returns.
type Job[T any] struct {
	Value    T
	ID       space.LeaseID // of the entry; the same in every attempt
	Attempts int           // number of failed attempts before this one

	// Txn is the transaction under which the job was taken. Calls with space.In(job.Txn) take effect if the handler
	// succeeds. The handler must neither commit nor abort it.
	Txn *space.Txn
}

// Stage has v, a struct or a pointer to one, written by the commit that ends the job, if the handler succeeds. It makes
// no call of its own. It returns the errors of space.Write that can be found without asking the space. Others, for
// example that a result is too large, fail the job when its handler has returned.
func (j *Job[T]) Stage(ctx context.Context, v any, opts ...space.StageOption) error {
	return space.Stage(ctx, j.Txn, v, opts...)
}

// String returns the identity, the value and the number of the attempt, as in "job 17 {ID:7 State:new} (attempt 1)".
func (j Job[T]) String() string {
	return fmt.Sprintf("job %d %+v (attempt %d)", j.ID, j.Value, j.Attempts+1)
}
