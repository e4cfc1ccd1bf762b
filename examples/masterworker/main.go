// Masterworker reads a tree of Go source with as many processes as you like, and counts it.
//
// The master writes one job for every file into a space. Workers, in processes of their own, take jobs, read and parse
// the files and write what they found as results. The master takes the results, adds them up and writes the totals
// into the space, where they stay. At last it does the same work alone, and says whether the totals are the same.
//
//	gospaces serve                                  # in one terminal
//	go run ./examples/masterworker worker           # in a second, a third, …
//	go run ./examples/masterworker master           # reads the source of the Go toolchain
//
// What it shows of a space:
//
//   - Processes do not know each other: workers may start before the master or join late; more workers are faster.
//   - A job is given to one worker only, the oldest first, and only lent: job and result are one transaction. Kill a
//     worker, and the others do the jobs that it held a little later, once.
//   - An announcement under a lease that is kept alive ends by itself when its master dies.
//   - Bulk calls move many entries at once.
//   - A marker that all workers read, and none takes, ends them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "masterworker:", err)
		stop()
		os.Exit(1)
	}
}

// run runs the command line; its last argument is master or worker.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("masterworker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "localhost:7420", "address of the space server")
	root := flags.String("root", "", "master: folder with the Go source to read (default: the source of the Go toolchain)")
	parallel := flags.Int("parallel", 2, "worker: files to read at a time")
	lease := flags.Duration("lease", 2*time.Second, "worker: time until its jobs are back after its death")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: masterworker [flags] master|worker")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	part := flags.Arg(0)
	if flags.NArg() != 1 || part != "master" && part != "worker" {
		flags.Usage()
		return errors.New("say master or worker, as the last argument")
	}

	sp, err := client.Dial(ctx, *addr)
	if err != nil {
		return err
	}
	defer sp.Close()
	if part == "worker" {
		return worker{space: sp, parallel: *parallel, lease: *lease, log: stderr}.run(ctx)
	}
	if *root == "" {
		if *root, err = toolchain(ctx); err != nil {
			return err
		}
	}
	return master{space: sp, root: *root, out: stdout, progress: stderr}.run(ctx)
}

// toolchain returns the folder that holds the source of the Go toolchain.
func toolchain(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the Go toolchain: %w; name a folder with -root", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src"), nil
}
