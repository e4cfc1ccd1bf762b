package space_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

func ExampleBegin() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	tx := must(space.Begin(ctx, sp))
	task := must(space.Take(ctx, sp, Task{State: "new"}, space.In(tx)))
	must(space.Write(ctx, sp, Task{ID: task.ID, State: "done"}, space.In(tx)))
	fmt.Println(must(space.Count(ctx, sp, Task{State: "done"})), "done before the commit")
	if err := tx.Commit(ctx); err != nil {
		panic(err)
	}
	fmt.Println(must(space.Count(ctx, sp, Task{State: "done"})), "done after it")
	// Output:
	// 1 done before the commit
	// 2 done after it
}

func ExampleTxn_Abort() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	tx := must(space.Begin(ctx, sp))
	must(space.Take(ctx, sp, Task{ID: 1}, space.In(tx)))
	_, err := space.Take(ctx, sp, Task{ID: 1}, space.NoWait())
	fmt.Println(err)
	if err := tx.Abort(ctx); err != nil {
		panic(err)
	}
	fmt.Println("the oldest is", must(space.Take(ctx, sp, Task{})).ID, "again")
	// Output:
	// space: no match
	// the oldest is 1 again
}

func ExampleTakeTxn() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	task, tx, err := space.TakeTxn(ctx, sp, Task{State: "new"}, space.For(10*time.Second))
	if err != nil {
		panic(err)
	}
	task.State = "done" // were the program to die here, another one would get the task after ten seconds at most
	if err := space.Stage(ctx, tx, task); err != nil {
		panic(err)
	}
	if err := tx.Commit(ctx); err != nil {
		panic(err)
	}
	fmt.Println(must(space.Count(ctx, sp, Task{State: "new"})), "new,", must(space.Count(ctx, sp, Task{State: "done"})),
		"done")
	// Output: 1 new, 2 done
}

func ExampleTxnOf() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	tx := must(space.Begin(ctx, sp))
	must(space.Take(ctx, sp, Task{ID: 1}, space.In(tx)))

	id := tx.ID() // goes to another program, in whatever way
	theirs := space.TxnOf(sp, id)
	must(space.Take(ctx, sp, Task{ID: 2}, space.In(theirs)))
	fmt.Println(theirs.Commit(ctx))
	fmt.Println(tx.Commit(ctx))
	// Output:
	// <nil>
	// space: transaction ended
}

func ExampleTxn_Defer() {
	ctx, sp := context.Background(), memory.New(memory.Config{})
	defer sp.Close()
	lease := must(space.Write(ctx, sp, Task{ID: 1}))
	_, tx, err := space.TakeTxn(ctx, sp, Task{})
	if err != nil {
		panic(err)
	}
	// Something that the task needs is not there: try again later.
	if err := errors.Join(tx.Defer(ctx, lease.ID(), 10*time.Millisecond), tx.Commit(ctx)); err != nil {
		panic(err)
	}
	fmt.Println(must(space.Count(ctx, sp, Task{})), "task now")
	fmt.Println("task", must(space.Take(ctx, sp, Task{})).ID, "is back")
	// Output:
	// 0 task now
	// task 1 is back
}

func ExampleDelay() {
	ctx, sp := context.Background(), memory.New(memory.Config{})
	defer sp.Close()
	must(space.Write(ctx, sp, Task{ID: 1, State: "later"}, space.Delay(10*time.Millisecond)))
	fmt.Println(must(space.Count(ctx, sp, Task{})), "tasks")
	fmt.Println(must(space.Take(ctx, sp, Task{})).State)
	// Output:
	// 0 tasks
	// later
}

func ExampleUpdate() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	task := must(space.Update(ctx, sp, Task{State: "new"}, func(t *Task) error {
		t.Priority *= 2
		return nil
	}))
	fmt.Println("task", task.ID, "has priority", task.Priority)
	// Output: task 1 has priority 10
}

func ExampleAdd() {
	type Counter struct {
		Name string
		N    int
	}
	ctx, sp := context.Background(), memory.New(memory.Config{})
	defer sp.Close()
	must(space.Write(ctx, sp, Counter{Name: "visits"}))
	for range 3 {
		must(space.Add(ctx, sp, Counter{Name: "visits"}, "n", 1))
	}
	fmt.Println(must(space.Read(ctx, sp, Counter{})).N)
	// Output: 3
}

func ExampleReplace() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	entry := must(sp.Read(ctx, must(space.Match(ctx, sp, Task{ID: 1}))))[0]
	fmt.Println(space.Replace(ctx, sp, entry.ID, entry.Version, Task{ID: 1, State: "running"}))
	_, err := space.Replace(ctx, sp, entry.ID, entry.Version, Task{ID: 1, State: "failed"})
	fmt.Println(errors.Is(err, space.ErrVersionConflict))
	// Output:
	// 2 <nil>
	// true
}

func ExampleTakeID() {
	ctx, sp := context.Background(), tasks()
	defer sp.Close()
	lease := must(space.Write(ctx, sp, Task{ID: 4, State: "new"}))
	fmt.Println(must(space.TakeID[Task](ctx, sp, lease.ID())).ID)
	_, err := space.TakeID[Task](ctx, sp, lease.ID())
	fmt.Println(err)
	// Output:
	// 4
	// space: no match
}
