package postgres

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// launch starts cmd on its own thread: the signal that ends a child with its parent is tied to the thread that forked
// it, and the runtime may end any thread that it does not have to keep.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // the exit status does not matter: the server was told to exit, or start reads its log
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// signal sends sig to the server's main process; it is no error if the process has exited.
func (p *process) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
		return ignoreGone(p.cmd.Process.Signal(sig))
	}
}

// quit stops the server with an immediate shutdown, which leaves no shared memory and no child behind.
func (p *process) quit() error {
	if err := errors.Join(p.resume(), p.signal(syscall.SIGQUIT)); err != nil { // a stopped process does not handle it
		return err
	}
	<-p.done
	return nil
}
