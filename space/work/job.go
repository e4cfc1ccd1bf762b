package work

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/space"
)

// Job is an entry that Run has taken, in the hands of a handler. It is good until the handler returns.
type Job[T any] struct {
	Value    T
	ID       space.LeaseID // of the entry: the same in every attempt
	Attempts int           // how often it has failed before; 0 in the first attempt

	// Txn is the transaction under which the job was taken. Calls with space.In(job.Txn) happen if the handler
	// succeeds. The handler must neither commit nor abort it.
	Txn *space.Txn
}

// Stage has v, a struct or a pointer to one, written when the handler succeeds, along with the end of the job and
// without a call of its own. It returns the errors of space.Write that can be told without asking
// the space. The others, for example of a result that is too large, fail the job when its handler has returned.
func (j *Job[T]) Stage(ctx context.Context, v any, opts ...space.StageOption) error {
	return space.Stage(ctx, j.Txn, v, opts...)
}

// String returns the identity, the value and the number of the attempt, as in "job 17 {ID:7 State:new} (attempt 1)".
func (j Job[T]) String() string {
	return fmt.Sprintf("job %d %+v (attempt %d)", j.ID, j.Value, j.Attempts+1)
}
