package work_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/space/work"
)

func ExampleRun() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	err := work.Run(ctx, sp, Task{State: "new"}, func(ctx context.Context, job *work.Job[Task]) error {
		task := job.Value
		fmt.Println("task", task.ID)
		task.State = "done"
		return job.Stage(ctx, task) // takes the place of the job, at the same instant
	}, work.Config{Workers: 1}, space.OrderBy("-priority"), space.NoWait()) // until there are no more

	fmt.Println(err, must(space.Count(ctx, sp, Task{State: "done"})))
	// Output:
	// task 2
	// task 1
	// <nil> 3
}

func ExampleRun_retries() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	var stats work.Stats
	_ = work.Run(ctx, sp, Task{State: "new"}, func(_ context.Context, job *work.Job[Task]) error {
		switch {
		case job.Value.ID == 1:
			return work.Permanent(errors.New("no such address"))
		case job.Attempts == 0:
			return errors.New("the line is busy") // comes back a little later
		}
		return nil
	}, work.Config{MinBackoff: time.Millisecond, Report: stats.Add}, space.Wait(300*time.Millisecond))

	fmt.Println(stats.Count(work.Done), "done,", stats.Count(work.Retried), "retried,", stats.Count(work.Dead), "dead")
	letter := must(space.Take(ctx, sp, work.DeadLetter{JobKind: "task"}))
	fmt.Println(letter.Fields, letter.Reason)
	// Output:
	// 1 done, 1 retried, 1 dead
	// {"id":1,"state":"new","priority":5} no such address
}

func ExampleRevive() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	_ = work.Run(ctx, sp, Task{State: "new"}, func(context.Context, *work.Job[Task]) error {
		return work.Permanent(errors.New("not today"))
	}, work.Config{}, space.NoWait())

	n := must(work.Revive(ctx, sp, work.DeadLetter{JobKind: "task"}, 0))
	fmt.Println(n, must(space.Count(ctx, sp, Task{State: "new"})))
	// Output: 2 2
}

// tasks returns a space with three tasks in it.
func tasks() space.Space {
	sp := memory.New(memory.Config{})
	must(space.WriteAll(context.Background(), sp, []Task{
		{ID: 1, State: "new", Priority: 5},
		{ID: 2, State: "new", Priority: 9},
		{ID: 3, State: "done"},
	}))
	return sp
}
