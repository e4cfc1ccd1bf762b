//go:build linux

package crash

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// child is a process of the campaign. It ends when this process ends, however that happens.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; set before done is closed
}

// launch starts cmd on its own thread, which stays: the signal that ends a child with its parent is tied to the thread
// that started it.
func launch(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	return c, <-started
}

// signal sends sig; a process that has ended already is no error.
func (c *child) signal(sig syscall.Signal) error {
	if err := c.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// kill kills the process, and returns when it is gone.
func (c *child) kill() error {
	err := c.signal(syscall.SIGKILL)
	<-c.done
	return err
}

// endedBy reports whether a process has ended by a signal that it did not handle.
func (c *child) endedBy(sig syscall.Signal) bool {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == sig
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
