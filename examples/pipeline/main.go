// Pipeline passes orders through independent stages: each takes entries in one state and writes them back in the next,
// both in one transaction, so that no order is lost or doubled wherever a stage dies. Stages may be slow or fast, one
// worker or many, in one process or in several; what waits between them waits in the space.
//
//	go run ./examples/pipeline                         # in process
//	go run ./examples/pipeline -addr localhost:7420    # on a server: start `gospaces serve` first
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/space/work"
)

// Order goes through the stages new, priced, packed, shipped.
type Order struct {
	ID       int `space:"id,id"`
	State    string
	Quantity int
	Cents    int // once it is priced
	Parcel   string
}

// stage turns orders in state from into orders in state to.
type stage struct {
	from, to string
	workers  int
	do       func(*Order)
}

var stages = []stage{
	{"new", "priced", 2, func(o *Order) { o.Cents = o.Quantity * 1999 }},
	{"priced", "packed", 3, func(o *Order) { o.Parcel = fmt.Sprintf("P-%05d", o.ID) }},
	{"packed", "shipped", 1, func(*Order) {}},
}

func main() {
	addr := flag.String("addr", "", "address of a server; without it the space is in this process")
	orders := flag.Int("orders", 20, "how many orders to pass through")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	sp, err := open(ctx, *addr)
	if err == nil {
		defer sp.Close()
		err = run(ctx, sp, *orders, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func open(ctx context.Context, addr string) (space.Space, error) {
	if addr == "" {
		return memory.New(memory.Config{}), nil
	}
	return client.Dial(ctx, addr)
}

// run passes n orders through all stages, and reports what came out and what it is worth.
func run(ctx context.Context, sp space.Space, n int, out io.Writer) error {
	ctx, stop := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop(nil)
	for _, s := range stages {
		running.Go(func() {
			if err := s.run(ctx, sp); err != nil {
				stop(err)
			}
		})
	}

	// Orders have a lease: those that are not shipped, because this program was stopped half way, disappear.
	for id := 1; id <= n; id++ {
		if _, err := space.Write(ctx, sp, Order{ID: id, State: "new", Quantity: 1 + id%5}, space.For(time.Hour)); err != nil {
			return fmt.Errorf("write order %d: %w", id, err)
		}
	}
	total := 0
	for range n {
		o, err := space.Take(ctx, sp, Order{State: "shipped"})
		if err != nil {
			return fmt.Errorf("wait for shipped orders: %w", context.Cause(ctx))
		}
		total += o.Cents
		fmt.Fprintf(out, "order %d shipped in %s\n", o.ID, o.Parcel)
	}
	fmt.Fprintf(out, "%d orders, %d.%02d\n", n, total/100, total%100)
	return nil
}

// run works until ctx ends.
func (s stage) run(ctx context.Context, sp space.Space) error {
	err := work.Run(ctx, sp, Order{State: s.from}, func(ctx context.Context, job *work.Job[Order]) error {
		o := job.Value
		s.do(&o)
		o.State = s.to
		return job.Stage(ctx, o, space.For(time.Hour))
	}, work.Config{Workers: s.workers})
	if err != nil {
		return fmt.Errorf("stage %s: %w", s.to, err)
	}
	return nil
}
