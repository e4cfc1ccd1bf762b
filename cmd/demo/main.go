// Demo runs all parts of gospaces together: a cluster of three nodes with its mirror in PostgreSQL, and a master and
// workers in their own processes that read the source of the Go toolchain. One of the workers is killed on the way, and
// then the node that serves the space. Demo then reads the result from the space and with plain SQL. It exits with 0 if
// both are the same, and leaves neither processes nor files behind. With -single there is one server, which is not
// killed.
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
	flag.BoolVar(&d.single, "single", false, "one server, rather than a cluster of three nodes")
	flag.BoolVar(&d.keep, "keep", false, "leave the servers and PostgreSQL running until the demonstration is interrupted")
	flag.IntVar(&d.workers, "workers", 3, "worker processes")
	flag.StringVar(&d.root, "root", "", "folder with Go source to read (default: that of the Go toolchain)")
	flag.Parse()
	err := d.run(ctx)
	if ctx.Err() != nil && !d.kept {
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
	single  bool
	keep    bool
	workers int
	root    string

	dir    string // for all files
	family *family
	kept   bool // all is done, and the servers run until they are interrupted
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
	servers, err := d.serve(dsn)
	if err != nil {
		return err
	}
	c, err := client.Dial(d.family.ctx, servers.addrs())
	if err != nil {
		return err
	}
	defer c.Close()
	if !d.single {
		d.show(servers)
	}
	if err := d.work(servers, c); err != nil {
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
	d.further(servers, dsn)
	return servers.stop()
}

// further says how to look further, and waits if all is to be kept for that.
func (d *demo) further(s servers, dsn string) {
	if !d.keep {
		target, more := "demo", "docs/cluster.md"
		if d.single {
			target, more = "demo-single", "README.md"
		}
		say("To look around in what is left, run it again with -keep (make " + target + " ARGS=-keep). " +
			more + " tells more.")
		return
	}
	program := filepath.Join(d.dir, "gospaces") + " --addr " + s.addrs()
	say("All of this runs until it is interrupted (Ctrl-C). Look around, for example with")
	if !d.single {
		fmt.Println(program + " cluster status")
	}
	fmt.Println(program + " status\n" + program + " read package_total --max 5\npsql '" + dsn + "'")
	d.kept = true
	<-d.family.ctx.Done()
}

// work runs workers and a master until the job is done, with one worker fewer in the end, and one node fewer.
func (d *demo) work(servers servers, sp space.Space) error {
	addr := servers.addrs()
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
	loss.tell()
	if !d.single {
		if err := d.failover(servers, sp, loss.run); err != nil {
			return errors.Join(err, context.Cause(d.family.ctx))
		}
	}
	for _, p := range append(all, master) {
		if err := p.wait(); err != nil {
			return err
		}
	}
	return nil
}

// say announces the next step.
func say(what string) { fmt.Printf("\n== %s\n", what) }
