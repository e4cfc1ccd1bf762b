// Demo runs all parts of gospaces together: a server with its log on disk and its mirror in PostgreSQL, and a master
// and workers in their own processes that read the source of the Go toolchain. One of the workers is killed half way.
// Demo then reads the result from the space and with plain SQL. It exits with 0 if both are the same, and leaves
// neither processes nor files behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/postgres"
	"github.com/gospaces/gospaces/space"
)

func main() {
	runtime.LockOSThread() // see family.start
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	d := demo{}
	flag.IntVar(&d.workers, "workers", 3, "worker processes")
	flag.StringVar(&d.root, "root", "", "folder with Go source to read (default: that of the Go toolchain)")
	flag.Parse()
	err := d.run(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one demonstration.
type demo struct {
	workers int
	root    string

	dir    string // for all files
	family *family
}

// run returns nil if everything worked and the two results are the same.
func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "gospaces-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	if err := d.build(ctx); err != nil {
		return err
	}

	say("PostgreSQL")
	db, err := postgres.Start(ctx, postgres.Config{Out: os.Stdout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Stop()) }()
	dsn, err := db.NewDatabase(ctx)
	if err != nil {
		return err
	}
	d.family = newFamily(ctx)
	defer d.family.end()
	return d.play(dsn)
}

// build builds the programs with go build.
func (d *demo) build(ctx context.Context) error {
	say("go build ./cmd/gospaces ./examples/masterworker")
	const module = "github.com/gospaces/gospaces/"
	cmd := exec.CommandContext(ctx, "go", "build", "-o", d.dir, module+"cmd/gospaces", module+"examples/masterworker")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// play runs the job and compares the results.
func (d *demo) play(dsn string) error {
	server, addr, err := d.serve(dsn)
	if err != nil {
		return err
	}
	c, err := client.Dial(d.family.ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := d.work(addr, c); err != nil {
		return err
	}
	say("wait until the mirror has everything")
	if err := mirrored(d.family.ctx, c); err != nil {
		return err
	}
	if err := compare(d.family.ctx, c, dsn); err != nil {
		return err
	}
	c.Close()
	return server.stop()
}

// serve starts the server and returns its address once it is ready.
func (d *demo) serve(dsn string) (*process, string, error) {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(d.dir, "data"), "--log-level", "warn"}
	say("gospaces " + strings.Join(args, " "))
	ready := newFirstLine()
	env := []string{"GOSPACES_POSTGRES=" + dsn} // not a flag, since every user of the machine can see command lines
	server, err := d.family.start(ready, env, filepath.Join(d.dir, "gospaces"), args...)
	if err != nil {
		return nil, "", err
	}
	select {
	case line := <-ready:
		fmt.Print(line)
		addr, ok := strings.CutPrefix(strings.TrimSpace(line), "gospaces: ready at ")
		if !ok {
			return nil, "", fmt.Errorf("the server says %q", line)
		}
		return server, addr, nil
	case <-server.done:
		return nil, "", errors.Join(errors.New("the server ended before it was ready"), context.Cause(d.family.ctx))
	}
}

// work runs workers and a master until the job is done, with one worker fewer in the end.
func (d *demo) work(addr string, sp space.Space) error {
	program := filepath.Join(d.dir, "masterworker")
	var all []*process
	say(fmt.Sprintf("%d times masterworker -addr %s worker", d.workers, addr))
	for range d.workers {
		w, err := d.family.start(os.Stdout, nil, program, "-addr", addr, "worker")
		if err != nil {
			return err
		}
		all = append(all, w)
	}
	args := []string{"-addr", addr}
	if d.root != "" {
		args = append(args, "-root", d.root)
	}
	args = append(args, "master")
	say("masterworker " + strings.Join(args, " "))
	master, err := d.family.start(os.Stdout, nil, program, args...)
	if err != nil {
		return err
	}
	loss, err := kill(d.family.ctx, sp, all[0])
	if err != nil {
		return errors.Join(err, context.Cause(d.family.ctx))
	}
	for _, p := range append(all, master) {
		if err := p.wait(); err != nil {
			return err
		}
	}
	loss.tell()
	return nil
}

// say announces the next step.
func say(what string) { fmt.Printf("\n== %s\n", what) }
