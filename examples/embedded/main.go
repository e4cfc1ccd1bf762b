// Embedded is a server and a worker in one process: the worker is beside the data, and reaches it without a network.
// Clients on other machines use the same space.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space/work"
)

type Order struct {
	ID    int
	Cents int
}

type Receipt struct {
	OrderID int
	Text    string
}

func main() {
	listen := flag.String("listen", "127.0.0.1:7420", "address for clients")
	data := flag.String("data", "gospaces-data", "folder of the log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ready := func(addr string) { fmt.Println("serving at", addr) }
	if err := run(ctx, node.Config{Data: *data, Listen: *listen}, ready); err != nil {
		log.Fatal(err)
	}
}

// run serves and works until ctx ends. It calls ready with the address when clients can connect.
func run(ctx context.Context, cfg node.Config, ready func(addr string)) error {
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer n.Close(context.WithoutCancel(ctx)) // stores what is pending
	orders, err := n.Space("orders")
	if err != nil {
		return err
	}
	ready(n.Addr())
	return work.Run(ctx, orders, Order{}, func(ctx context.Context, job *work.Job[Order]) error {
		text := fmt.Sprintf("order %d: %d.%02d paid", job.Value.ID, job.Value.Cents/100, job.Value.Cents%100)
		return job.Stage(ctx, Receipt{OrderID: job.Value.ID, Text: text})
	}, work.Config{})
}
