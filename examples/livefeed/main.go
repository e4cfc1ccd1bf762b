// Livefeed listens to prices while they are published.
//
// The publisher writes quotes under a short lease: a late listener can still read the last ones, and the space never
// fills up. The listener is told of every quote that matches its template, in order and each once, without polling, and
// without taking it from other readers.
//
//	go run ./examples/livefeed                         # in process
//	go run ./examples/livefeed -addr localhost:7420    # on a server: start `gospaces serve` first
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// Quote is a price at a time.
type Quote struct {
	Symbol string
	Cents  int
	At     time.Time
}

func main() {
	addr := flag.String("addr", "", "address of a server; without it the space is in this process")
	events := flag.Int("events", 10, "end after so many quotes")
	above := flag.Int("above", 9000, "show quotes above so many cents")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	sp, err := open(ctx, *addr)
	if err == nil {
		defer sp.Close()
		err = run(ctx, sp, *events, *above, 100*time.Millisecond, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "livefeed:", err)
		os.Exit(1)
	}
}

func open(ctx context.Context, addr string) (space.Space, error) {
	if addr == "" {
		return memory.New(memory.Config{}), nil
	}
	return client.Dial(ctx, addr)
}

// run publishes at every tick until the listener has shown n quotes.
func run(ctx context.Context, sp space.Space, n, above int, tick time.Duration, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	published := make(chan error, 1)
	go func() {
		defer stop() // nothing more will come
		published <- publish(ctx, sp, tick)
	}()
	err := listen(ctx, sp, n, above, out)
	stop()
	return errors.Join(err, <-published)
}

// listen shows n quotes of one symbol above a price.
func listen(ctx context.Context, sp space.Space, n, above int, out io.Writer) error {
	for e, err := range space.Events(ctx, sp, Quote{Symbol: "GOPH"}, space.Where("cents", space.Gt(above))) {
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if e.Type == space.Gap {
			fmt.Fprintf(out, "we were too slow for %d quotes\n", e.Missed)
			continue
		}
		fmt.Fprintf(out, "%3d  %s  %d.%02d\n", e.Seq, e.Value.Symbol, e.Value.Cents/100, e.Value.Cents%100)
		if n--; n == 0 {
			break
		}
	}
	return nil
}

// publish writes a quote of each symbol at every tick until ctx ends.
func publish(ctx context.Context, sp space.Space, tick time.Duration) error {
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticks.C:
			quotes := []Quote{
				{"GOPH", 10000 + rand.IntN(500), now},
				{"DUKE", 5000 + rand.IntN(500), now},
			}
			if _, err := space.WriteAll(ctx, sp, quotes, space.For(5*time.Second)); err != nil && ctx.Err() == nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
	}
}
