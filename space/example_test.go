package space_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// Task is something to be done.
type Task struct {
	ID       int
	State    string
	Priority int
	Owner    *string
}

// Payment is what orders and refunds have in common: a template of it matches either.
type Payment struct {
	Customer string
	Cents    int
}

// Order is a payment for an item.
type Order struct {
	Payment
	Item string
}

// Refund is a payment given back.
type Refund struct {
	Payment
	Reason string
}

// must ends an example that has gone wrong.
func must[T any](v T, err error) T {
	if err != nil {
		log.Panic(err)
	}
	return v
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

func Example() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()

	go func() { // a worker: one that is free takes the next task
		for {
			task, err := space.Take(ctx, sp, Task{State: "new"})
			if err != nil {
				return // the space was closed
			}
			task.State = "done"
			must(space.Write(ctx, sp, task))
		}
	}()

	must(space.Write(ctx, sp, Task{ID: 7, State: "new"}))
	task := must(space.Take(ctx, sp, Task{ID: 7, State: "done"})) // waits for the worker
	fmt.Println(task.ID, task.State)
	// Output: 7 done
}

func ExampleWrite() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	lease, err := space.Write(ctx, sp, Task{ID: 1, State: "new"}, space.For(time.Hour))
	if err != nil {
		log.Panic(err)
	}
	fmt.Println(lease.Granted())
	// Output: 1h0m0s
}

func ExampleWriteAll() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	leases := must(space.WriteAll(ctx, sp, []Task{{ID: 1}, {ID: 2}}))
	fmt.Println(len(leases), must(space.Count(ctx, sp, Task{})))
	// Output: 2 2
}

func ExampleRead() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	task := must(space.Read(ctx, sp, Task{State: "new"})) // the oldest
	fmt.Println(task.ID)
	// Output: 1
}

func ExampleTake() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	for {
		task, err := space.Take(ctx, sp, Task{State: "new"}, space.OrderBy("-priority"), space.NoWait())
		if errors.Is(err, space.ErrNoMatch) {
			break
		}
		fmt.Println(task.ID, task.Priority)
	}
	// Output:
	// 2 9
	// 1 5
}

func ExampleTake_embedded() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	must(space.Write(ctx, sp, Order{Payment{"ann", 1200}, "lamp"}))
	must(space.Write(ctx, sp, Refund{Payment{"bob", 300}, "scratched"}))

	p := must(space.Take(ctx, sp, Payment{Customer: "bob"})) // any kind of payment
	fmt.Println(p.Customer, p.Cents)
	// Output: bob 300
}

func ExampleReadIfExists() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	_, err := space.ReadIfExists(ctx, sp, Task{State: "failed"}) // does not wait for one to be written
	fmt.Println(err)
	// Output: space: no match
}

func ExampleTakeIfExists() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	task := must(space.TakeIfExists(ctx, sp, Task{State: "done"}))
	fmt.Println(task.ID)
	// Output: 3
}

func ExampleReadAll() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	for _, task := range must(space.ReadAll(ctx, sp, Task{}, 10)) {
		fmt.Println(task.ID, task.State)
	}
	// Output:
	// 1 new
	// 2 new
	// 3 done
}

func ExampleTakeAll() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	batch := must(space.TakeAll(ctx, sp, Task{State: "new"}, 10))
	fmt.Println(len(batch), must(space.Count(ctx, sp, Task{})))
	// Output: 2 1
}

func ExampleCount() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	fmt.Println(must(space.Count(ctx, sp, Task{State: "new"})))
	// Output: 2
}

func ExampleContents() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	sum := 0
	for task, err := range space.Contents(ctx, sp, Task{}) {
		if err != nil {
			log.Panic(err)
		}
		sum += task.ID
	}
	fmt.Println(sum)
	// Output: 6
}

func ExampleWhere() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	urgent := must(space.Count(ctx, sp, Task{State: "new"}, space.Where("priority", space.Gt(5))))
	idle := must(space.Count(ctx, sp, Task{}, space.Where("priority", space.Eq(0)))) // zero, not any priority
	free := must(space.Count(ctx, sp, Task{}, space.Where("owner", space.IsNull())))
	fmt.Println(urgent, idle, free)
	// Output: 1 1 3
}

func ExampleOr() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	n := must(space.Count(ctx, sp, Task{State: "done"}, space.Or(Task{}), space.Where("priority", space.Ge(9))))
	fmt.Println(n)
	// Output: 2
}

func ExampleOrderBy() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	for _, task := range must(space.ReadAll(ctx, sp, Task{}, 10, space.OrderBy("state", "-priority"))) {
		fmt.Println(task.State, task.Priority)
	}
	// Output:
	// done 0
	// new 9
	// new 5
}

func ExampleMax() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	for task := range space.Contents(ctx, sp, Task{State: "new"}, space.Max(1)) {
		fmt.Println(task.State)
	}
	// Output: new
}

func ExampleWait() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	_, err := space.Take(ctx, sp, Task{State: "failed"}, space.Wait(time.Millisecond))
	fmt.Println(errors.Is(err, space.ErrNoMatch))
	// Output: true
}

func ExampleNotify() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	reg := must(space.Notify(ctx, sp, Task{State: "new"}))
	defer reg.Close()

	must(space.Write(ctx, sp, Task{ID: 4, State: "new"}))
	event := must(reg.Next(ctx))
	task := must(space.Decode[Task](event.Entry))
	fmt.Println(event.Seq-reg.Start(), task.ID)
	// Output: 1 4
}

func ExampleEvents() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	go func() {
		for id := 1; ; id++ {
			if _, err := space.Write(ctx, sp, Task{ID: id, State: "new"}); err != nil {
				return // the space was closed
			}
		}
	}()
	for event, err := range space.Events(ctx, sp, Task{State: "new"}) {
		if err != nil {
			log.Panic(err)
		}
		fmt.Println(event.Seq, event.Value.State)
		break
	}
	// Output: 1 new
}

func ExampleOn() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	reg := must(space.Notify(ctx, sp, Task{State: "new"}, space.On(space.Taken, space.Renewed)))
	must(space.Write(ctx, sp, Task{ID: 4, State: "new"})) // the listener did not ask for that
	must(space.Take(ctx, sp, Task{ID: 2}))
	event := must(reg.Next(ctx))
	fmt.Println(event.Type, must(space.Decode[Task](event.Entry)).ID)
	// Output: taken 2
}

func ExamplePrepare() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	next := must(space.Prepare(ctx, sp, Task{State: "new"}, space.OrderBy("-priority"), space.NoWait()))
	for {
		task, err := next.Take(ctx)
		if errors.Is(err, space.ErrNoMatch) {
			break
		}
		fmt.Println(task.ID)
	}
	// Output:
	// 2
	// 1
}

func ExampleMatch() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	must(space.Write(ctx, sp, Refund{Payment{"bob", 300}, "scratched"}))

	q := must(space.Match(ctx, sp, Task{State: "new"}, Payment{})) // a new task, or a payment of any kind
	entries := must(sp.Take(ctx, q))
	fmt.Println(entries[0].Kind(), entries[0].Fields()["reason"])
	// Output: refund scratched
}

func ExampleEntry_Decode() {
	ctx := context.Background()
	sp := tasks()
	defer sp.Close()
	entries := must(sp.Read(ctx, must(space.Match(ctx, sp, nil)))) // any entry of any kind
	var task Task
	if err := entries[0].Decode(&task); err != nil {
		log.Panic(err)
	}
	fmt.Println(task.ID)
	// Output: 1
}

func ExampleLease_Cancel() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	lease := must(space.Write(ctx, sp, Task{ID: 1}))
	fmt.Println(lease.Cancel(ctx))
	fmt.Println(errors.Is(lease.Cancel(ctx), space.ErrLeaseEnded))
	// Output:
	// <nil>
	// true
}

func ExampleKeepAlive() {
	ctx := context.Background()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	lease := must(space.Write(ctx, sp, Task{ID: 1, State: "running"}, space.For(time.Minute)))
	keeper := space.KeepAlive(ctx, time.Minute, lease) // from here on the entry lives as long as this program
	defer keeper.Stop()

	select {
	case loss := <-keeper.Lost():
		fmt.Println("lost:", loss.Err)
	default:
		fmt.Println("kept")
	}
	// Output: kept
}
