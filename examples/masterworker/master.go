package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gospaces/gospaces/space"
)

const (
	bulk     = 500              // entries in one call
	announce = 30 * time.Second // lease of the announcement, which is kept alive
	keep     = time.Hour        // lease of jobs and markers: what a dead master leaves behind ends by itself
)

// master hands out the files below root, adds up the results and checks them.
type master struct {
	space    space.Space
	root     string
	out      io.Writer
	progress io.Writer
}

// run returns nil when all results are in, written to the space, and equal to those of a sequential run.
func (m master) run(ctx context.Context) error {
	files, err := sourceFiles(m.root)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no Go files below %s", m.root)
	}
	start := time.Now()
	id := rand.Text()
	shared, err := m.share(ctx, id, files)
	if err != nil {
		return err
	}
	summary := shared.finish()
	summary.Run, summary.Root, summary.Started, summary.Took = id, m.root, start.UTC(), time.Since(start)
	if err := m.publish(ctx, summary, shared); err != nil {
		return fmt.Errorf("write the totals: %w", err)
	}
	report(m.out, summary, shared)
	return m.check(ctx, files, shared, summary.Took)
}

// share lets the workers process all files and returns the totals of their results.
func (m master) share(ctx context.Context, id string, files []string) (*totals, error) {
	if err := m.handOut(ctx, id, files); err != nil {
		return nil, err
	}
	lease, err := space.Write(ctx, m.space, Run{ID: id, Root: m.root, Files: len(files)}, space.For(announce))
	if err != nil {
		return nil, fmt.Errorf("announce the run: %w", err)
	}
	alive := space.KeepAlive(ctx, announce, lease)
	defer alive.Stop()
	defer lease.Cancel(context.WithoutCancel(ctx)) // stops new workers from joining; if it fails the lease runs out

	sum, err := m.collect(ctx, id, files)
	// Whatever the outcome, the workers must stop.
	_, finishErr := space.Write(context.WithoutCancel(ctx), m.space, RunFinished{Run: id}, space.For(keep))
	return sum, errors.Join(err, finishErr)
}

// handOut writes one job for each file.
func (m master) handOut(ctx context.Context, id string, files []string) error {
	for some := range slices.Chunk(files, bulk) {
		jobs := make([]FileJob, len(some))
		for i, file := range some {
			jobs[i] = FileJob{Run: id, File: file}
		}
		if _, err := space.WriteAll(ctx, m.space, jobs, space.For(keep)); err != nil {
			return fmt.Errorf("write jobs: %w", err)
		}
	}
	return nil
}

// collect takes results until each file has one.
func (m master) collect(ctx context.Context, id string, files []string) (*totals, error) {
	bar := newProgress(m.progress, len(files))
	defer bar.finish()
	sum := newTotals()
	for done := 0; done < len(files); {
		results, err := space.TakeAll(ctx, m.space, FileResult{Run: id}, bulk)
		if err != nil {
			return nil, fmt.Errorf("take results: %w", err)
		}
		for _, r := range results {
			if r.Problem != "" {
				return nil, fmt.Errorf("a worker could not read a file: %s", r.Problem)
			}
			if !sum.add(r) {
				return nil, fmt.Errorf("there are two results for %s", r.File)
			}
		}
		done += len(results)
		bar.set(done)
	}
	return sum, nil
}

// publish writes the totals to the space, where they stay.
func (m master) publish(ctx context.Context, summary RunSummary, t *totals) error {
	for some := range slices.Chunk(t.packageTotals(), bulk) {
		for i := range some {
			some[i].Run = summary.Run
		}
		if _, err := space.WriteAll(ctx, m.space, some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(t.importTotals(), bulk) {
		for i := range some {
			some[i].Run = summary.Run
		}
		if _, err := space.WriteAll(ctx, m.space, some); err != nil {
			return err
		}
	}
	_, err := space.Write(ctx, m.space, summary) // last: a program that sees it sees the other totals too
	return err
}

// check processes all files alone, one after the other, and compares the totals.
func (m master) check(ctx context.Context, files []string, shared *totals, took time.Duration) error {
	fmt.Fprintf(m.out, "\nThe same work once more, by this process alone …\n")
	start := time.Now()
	alone := newTotals()
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := analyze(m.root, file)
		if r.Problem != "" {
			return errors.New(r.Problem)
		}
		alone.add(r)
	}
	if diff := shared.difference(alone); diff != "" {
		return fmt.Errorf("a sequential run gives other totals: %s", diff)
	}
	fmt.Fprintf(m.out, "A sequential run gives the same totals: %.1f s alone, %.1f s shared.\n",
		time.Since(start).Seconds(), took.Seconds())
	return nil
}
