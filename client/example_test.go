package client_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// Order is an entry.
type Order struct {
	Customer string
	Amount   int
}

func ExampleDial() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, addr) // "localhost:7420" for a server that was started with `gospaces serve`
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := space.Write(ctx, c, Order{Customer: "ada", Amount: 3}); err != nil {
		log.Fatal(err)
	}
	order, err := space.Take(ctx, c, Order{Customer: "ada"})
	fmt.Println(order.Amount, err)
	// Output: 3 <nil>
}

// A worker does the orders of a server, each under a transaction.
func ExampleDial_work() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()
	sp, err := client.Dial(ctx, addr)
	if err != nil {
		log.Fatal(err)
	}
	defer sp.Close()
	if _, err := space.Write(ctx, sp, Order{Customer: "ada", Amount: 3}); err != nil {
		log.Fatal(err)
	}

	type Parcel struct{ Customer string }
	err = work.Run(ctx, sp, Order{}, func(ctx context.Context, job *work.Job[Order]) error {
		return job.Stage(ctx, Parcel{Customer: job.Value.Customer}) // the order goes and the parcel comes at one instant
	}, work.Config{}, space.NoWait()) // until there are no more
	if err != nil {
		log.Fatal(err)
	}
	parcel, err := space.Take(ctx, sp, Parcel{})
	fmt.Println(parcel.Customer, err)
	// Output: ada <nil>
}

func ExampleClient_SpaceNamed() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	archive := c.SpaceNamed("archive")
	if _, err := space.Write(ctx, archive, Order{Customer: "ada", Amount: 3}); err != nil {
		log.Fatal(err)
	}
	here, _ := space.Count(ctx, c, Order{})
	there, _ := space.Count(ctx, archive, Order{})
	fmt.Println(here, there)
	// Output: 0 1
}

// serve starts a server in memory.
func serve() (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	absent, err := partition.NewAbsent(nil)
	if err != nil {
		log.Fatal(err)
	}
	spaces := &spaces{open: map[string]*partition.Host{}, absent: absent}
	srv, err := server.New(server.Config{Spaces: spaces})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	return l.Addr().String(), func() {
		_ = srv.Shutdown(context.Background())
		spaces.forget()
	}
}
