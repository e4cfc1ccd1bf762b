package space_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
)

func ExampleWork() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	err := space.Work(ctx, sp, Task{State: "new"}, func(ctx context.Context, job *space.Job[Task]) error {
		task := job.Value
		fmt.Println("task", task.ID)
		task.State = "done"
		return job.Stage(ctx, task) // takes the place of the job, at the same instant
	}, space.Workers(1), space.OrderBy("-priority"), space.NoWait()) // until there are no more

	fmt.Println(err, must(space.Count(ctx, sp, Task{State: "done"})))
	// Output:
	// task 2
	// task 1
	// <nil> 3
}

func ExampleWork_retries() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	var stats space.WorkStats
	_ = space.Work(ctx, sp, Task{State: "new"}, func(_ context.Context, job *space.Job[Task]) error {
		switch {
		case job.Value.ID == 1:
			return space.Permanent(errors.New("no such address"))
		case job.Attempts == 0:
			return errors.New("the line is busy") // comes back a little later
		}
		return nil
	}, space.Backoff(time.Millisecond, time.Second), space.Wait(300*time.Millisecond), space.Report(stats.Add))

	fmt.Println(stats.Count(space.JobDone), "done,", stats.Count(space.JobRetried), "retried,", stats.Count(space.JobDead), "dead")
	letter := must(space.Take(ctx, sp, space.DeadLetter{JobKind: "task"}))
	fmt.Println(letter.Fields, letter.Reason)
	// Output:
	// 1 done, 1 retried, 1 dead
	// {"id":1,"state":"new","priority":5} no such address
}

func ExampleRevive() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	_ = space.Work(ctx, sp, Task{State: "new"}, func(context.Context, *space.Job[Task]) error {
		return space.Permanent(errors.New("not today"))
	}, space.NoWait())

	n := must(space.Revive(ctx, sp, space.DeadLetter{JobKind: "task"}))
	fmt.Println(n, must(space.Count(ctx, sp, Task{State: "new"})))
	// Output: 2 2
}
