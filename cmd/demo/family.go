package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is the time that a process may take to stop before it is killed.
const patience = 20 * time.Second

// family is the processes of the demonstration. When one of them fails the others are stopped.
type family struct {
	ctx     context.Context // ends when one fails; its cause names the process and the error
	fail    context.CancelCauseFunc
	members sync.WaitGroup
}

func newFamily(ctx context.Context) *family {
	f := &family{}
	f.ctx, f.fail = context.WithCancelCause(ctx)
	return f
}

// end stops all running processes and waits for them.
func (f *family) end() {
	f.fail(nil)
	f.members.Wait()
}

// process is a running member of a family.
type process struct {
	ctx    context.Context // of its family
	pid    int
	quit   context.CancelFunc
	slay   func() error  // kills it with SIGKILL
	killed atomic.Bool   // by kill: its end is no failure
	done   chan struct{} // closed when it has ended
}

// start starts a program. It must be called from the main goroutine, which is locked to its thread: the death signal
// that attributes requests is sent when the thread that started the child ends.
func (f *family) start(stdout io.Writer, env []string, name string, args ...string) (*process, error) {
	ctx, quit := context.WithCancel(f.ctx)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	cmd.SysProcAttr = attributes()
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		quit()
		return nil, err
	}
	p := &process{ctx: f.ctx, pid: cmd.Process.Pid, quit: quit, slay: cmd.Process.Kill, done: make(chan struct{})}
	f.members.Go(func() {
		defer close(p.done)
		defer quit()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) && !p.killed.Load() {
			f.fail(fmt.Errorf("%s: %w", cmd, err))
		}
	})
	return p, nil
}

// wait waits for the process to end by itself, and returns the failure of the family, if any.
func (p *process) wait() error {
	<-p.done
	return context.Cause(p.ctx)
}

// stop asks the process to stop and waits like wait.
func (p *process) stop() error {
	p.quit()
	return p.wait()
}

// kill kills the process without warning. The process is gone when kill returns.
func (p *process) kill() {
	p.killed.Store(true)
	_ = p.slay() // it fails only if the process has ended by itself
	<-p.done
}

// firstLine is a standard output of which only the first line matters.
type firstLine chan string

func newFirstLine() firstLine { return make(firstLine, 1) }

func (f firstLine) Write(p []byte) (int, error) {
	select {
	case f <- string(p):
	default:
	}
	return len(p), nil
}
