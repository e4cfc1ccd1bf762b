package replication_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
)

// A log is read to its end; claimed, which makes this process its primary; appended to; and followed.
func Example() {
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := replication.Open(ctx, replication.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	jobs, err := store.Log(ctx, "jobs", 0)
	if err != nil {
		log.Fatal(err)
	}
	apply := func(record.Group) error { return errors.New("a new log is empty") }
	end, err := jobs.CatchUp(ctx, 0, apply, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := jobs.Claim(ctx, end, record.Clock{}); err != nil {
		log.Fatal(err)
	}

	msg := make([]byte, record.HeaderSize) // room for the log's header
	msg = record.AppendRemove(msg, 17, 3, record.Taken)
	if err := jobs.Append(msg); err != nil {
		log.Fatal(err)
	}

	enough := errors.New("enough")
	err = jobs.Follow(ctx, 0, func(g record.Group) error {
		if len(g.Records) == 0 {
			fmt.Println(g.Position, "no records") // the claim
			return nil
		}
		var r record.Record
		if _, err := record.Next(g.Records, &r); err != nil {
			return err
		}
		fmt.Println(g.Position, "entry", r.ID, "is gone")
		return enough
	})
	fmt.Println(errors.Is(err, enough))
	// Output:
	// 1 no records
	// 2 entry 17 is gone
	// true
}
