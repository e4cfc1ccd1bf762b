package main

import (
	"context"
	"slices"
	"sync"
)

// peer is a server to be compared.
type peer struct {
	name    string
	program string // of the server
	install string // what installs the program
	start   func(ctx context.Context, s *server) (queue, error)
}

func (p peer) String() string { return p.name }

// ours is the name of the peer that all others are compared with.
const ours = "gospaces"

// peers returns all peers.
func peers() []peer {
	return []peer{
		{ours, "gospaces", "make build", startGospaces},
		{"redis", "redis-server", "apt-get install redis-server", startRedis},
		{"beanstalkd", "beanstalkd", "apt-get install beanstalkd", startBeanstalkd},
		{"nats", "nats-server", "cd tools/peers && go build -o ../../bin/ github.com/nats-io/nats-server/v2", startNATS},
		{"postgres", "postgres", "apt-get install postgresql", startPostgres},
		{"tarantool", "tarantool", "apt-get install tarantool", startTarantool},
	}
}

// queue is a client of a running server. Its methods may be called concurrently.
type queue interface {
	// put stores jobs, and returns when they are as durable as the server promises.
	put(ctx context.Context, jobs ...job) error
	// ways returns the ways to take jobs.
	ways() []way
	close()
}

// keyed is a queue from which jobs can be taken by their keys.
type keyed interface {
	putKeyed(ctx context.Context, jobs ...job) error
	// takeKeyed takes a job at most once. It reports false if there is none with that key, and does not wait for one.
	takeKeyed(ctx context.Context, key int64) (job, bool, error)
}

// guarantee says what becomes of a job whose worker dies.
type guarantee string

const (
	atMostOnce  guarantee = "at most once"  // the job may be lost
	atLeastOnce guarantee = "at least once" // the job comes back
)

// way is a way to take jobs.
type way struct {
	name      string // the calls, as users of the peer know them
	guarantee guarantee
	bulk      bool // one call takes up to batch jobs
	// work lets workers take jobs, and wait for them, until ctx ends. It calls done for each job when the server has
	// acknowledged that the job is gone, or has been sent that acknowledgement. It returns nil when ctx has ended.
	work func(ctx context.Context, workers, batch int, done func(job)) error
}

// together runs functions at once until all have returned, and returns the first error. That error ends the contexts of
// the others; errors after the end of ctx do not count.
func together(ctx context.Context, fs ...func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		group sync.WaitGroup
		first error
		once  sync.Once
	)
	for _, f := range fs {
		group.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				once.Do(func() { first = err })
				cancel()
			}
		})
	}
	group.Wait()
	return first
}

// each runs f n times at once, as together does.
func each(ctx context.Context, n int, f func(ctx context.Context) error) error {
	return together(ctx, slices.Repeat([]func(context.Context) error{f}, n)...)
}
