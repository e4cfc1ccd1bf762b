package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// halves divides the processors of this process between the server and the callers, as if they were on different
// machines. Otherwise the kernel tends to move a thread of the server to the processor of the caller that has just
// woken it, where it waits while another processor is idle: the benchmark would measure the scheduler.
type halves struct {
	all, server, callers unix.CPUSet
}

// divide returns the halves, or nil if there is only one processor.
func divide() (*halves, error) {
	h := new(halves)
	if err := unix.SchedGetaffinity(0, &h.all); err != nil {
		return nil, fmt.Errorf("ask for the processors of this process: %w", err)
	}
	n := h.all.Count()
	if n < 2 {
		return nil, nil
	}
	for cpu, given := 0, 0; given < n; cpu++ {
		if !h.all.IsSet(cpu) {
			continue
		}
		if given < n/2 {
			h.server.Set(cpu)
		} else {
			h.callers.Set(cpu)
		}
		given++
	}
	return h, nil
}

func (h *halves) String() string {
	if h == nil {
		return "server and callers share the processors"
	}
	return fmt.Sprintf("processors: %d for the server, %d for the callers", h.server.Count(), h.callers.Count())
}

// enter confines this process to the callers' half.
func (h *halves) enter() error {
	if h == nil {
		return nil
	}
	runtime.GOMAXPROCS(h.callers.Count())
	return confine(&h.callers)
}

// leave undoes enter.
func (h *halves) leave() error {
	if h == nil {
		return nil
	}
	err := confine(&h.all)
	runtime.SetDefaultGOMAXPROCS()
	return err
}

// confine confines all threads of this process to these processors. The second pass finds threads that were started
// during the first.
func confine(to *unix.CPUSet) error {
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err == nil {
				err = unix.SchedSetaffinity(id, to)
			}
			if err != nil && err != unix.ESRCH { // the thread has ended
				return fmt.Errorf("choose the processors of this process: %w", err)
			}
		}
	}
	return nil
}

// start starts cmd in the server's half.
func (h *halves) start(cmd *exec.Cmd) error {
	if h == nil {
		return cmd.Start()
	}
	runtime.LockOSThread() // the child inherits the processors of the thread
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &h.server); err != nil {
		return fmt.Errorf("choose the processors of the server: %w", err)
	}
	err := cmd.Start()
	if back := unix.SchedSetaffinity(0, &h.callers); err == nil {
		err = back
	}
	return err
}

// tied makes a child end with this process.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
