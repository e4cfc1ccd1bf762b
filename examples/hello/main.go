// Hello is the first program of the README: one side writes a job and waits until it is done, the other waits for jobs.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

type Job struct {
	ID    int
	State string
}

func main() {
	if err := hello(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func hello(ctx context.Context, out io.Writer) error {
	sp := memory.New(memory.Config{}) // in this process; client.Dial returns the same interface to a server
	defer sp.Close()
	go func() {
		job, err := space.Take(ctx, sp, Job{State: "new"}) // zero fields are wildcards; waits until there is one
		if err == nil {
			space.Write(ctx, sp, Job{ID: job.ID, State: "done"})
		}
	}()
	if _, err := space.Write(ctx, sp, Job{ID: 7, State: "new"}); err != nil {
		return err
	}
	job, err := space.Read(ctx, sp, Job{ID: 7, State: "done"})
	fmt.Fprintf(out, "job %d is %s\n", job.ID, job.State)
	return err
}
