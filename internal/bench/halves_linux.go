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

// halves divides the processors that this process may use between the server and the callers, as if they were on machines of their own.
// Otherwise the kernel tends to put a thread of the server onto the processor of the caller that has just woken it, where it waits for
// its turn while another processor idles: then one measures the scheduler.
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

// leave ends what enter began.
func (h *halves) leave() error {
	if h == nil {
		return nil
	}
	err := confine(&h.all)
	runtime.SetDefaultGOMAXPROCS()
	return err
}

// confine lets all threads of this process run on these processors only. The second look finds threads that others have started during
// the first.
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
			if err != nil && err != unix.ESRCH { // a thread that has ended
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
	runtime.LockOSThread() // whose processors the child inherits
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

// tied makes a child end when this process does.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
