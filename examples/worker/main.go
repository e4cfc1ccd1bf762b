// Worker is the second program of the README: it does the jobs of a server until it is interrupted.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

type Job struct {
	ID       int
	State    string
	Priority int
}

type Result struct {
	JobID int
	Text  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // then work.Run drains
	defer stop()
	sp, err := client.Dial(ctx, "localhost:7420")
	if err != nil {
		log.Fatal(err)
	}
	defer sp.Close()
	log.Print("waiting for jobs; Ctrl-C ends it")
	if err := run(ctx, sp); err != nil {
		log.Fatal(err)
	}
}

// run does jobs, the most urgent first, until ctx ends. An error of do makes the job come back later.
func run(ctx context.Context, sp space.Space) error {
	return work.Run(ctx, sp, Job{State: "new"}, func(ctx context.Context, job *work.Job[Job]) error {
		text, err := do(ctx, job.Value)
		if err != nil {
			return err
		}
		return job.Stage(ctx, Result{JobID: job.Value.ID, Text: text}) // the job goes and the result comes at one instant
	}, work.Config{Workers: 8}, space.OrderBy("-priority"))
}

func do(_ context.Context, job Job) (string, error) {
	log.Printf("doing job %d", job.ID)
	return fmt.Sprintf("job %d is done", job.ID), nil
}
