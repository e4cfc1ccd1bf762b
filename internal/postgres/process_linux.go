package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// owner is the user that runs a server: the current user, or an unprivileged user for root, which PostgreSQL refuses.
type owner struct{ credential *syscall.Credential }

// unprivileged returns the owner for servers of this process.
func unprivileged() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return owner{}, fmt.Errorf("postgres: user %s: %w", name, err)
		}
		return owner{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return owner{}, errors.New("postgres: PostgreSQL does not run as root: make a user named postgres")
}

func (o owner) chown(dir string) error {
	if o.credential == nil {
		return nil
	}
	return os.Chown(dir, int(o.credential.Uid), int(o.credential.Gid))
}

// attributes make a child run as o, shielded from the terminal's signals, and end with this process: SIGQUIT is
// PostgreSQL's immediate shutdown.
func (o owner) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: o.credential, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}

// lock locks a cluster's folder without waiting; the lock ends with this process.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("postgres: lock %s: %w", f.Name(), err)
	}
	return f, nil
}

func (p *process) pause() error  { return p.signalAll(syscall.SIGSTOP) }
func (p *process) resume() error { return p.signalAll(syscall.SIGCONT) }

// signalAll sends sig to the server and its children, each of which leads a process group of its own.
func (p *process) signalAll(sig syscall.Signal) error {
	err := p.signal(sig)
	for _, pid := range children(p.cmd.Process.Pid) {
		err = errors.Join(err, ignoreGone(syscall.Kill(pid, sig)))
	}
	return err
}

// killAll kills the server and then its children. The server is stopped first, so that it starts no more children.
func (p *process) killAll() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pids := children(p.cmd.Process.Pid)
	err := p.signal(syscall.SIGKILL)
	<-p.done
	for _, pid := range pids {
		err = errors.Join(err, ignoreGone(syscall.Kill(pid, syscall.SIGKILL)))
	}
	for _, pid := range pids {
		for _, running := parent(pid); running; _, running = parent(pid) {
			time.Sleep(time.Millisecond) // they are not our children, so there is nothing to wait on
		}
	}
	return err
}

// children returns the process ids of the children of pid.
func children(pid int) []int {
	var found []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if child, err := strconv.Atoi(e.Name()); err == nil {
			if ppid, running := parent(child); running && ppid == pid {
				found = append(found, child)
			}
		}
	}
	return found
}

// parent returns the parent of a process and whether it runs; a zombie does not.
func parent(pid int) (ppid int, running bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The format is "pid (name) state ppid …"; the name may contain anything, including parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	ppid, err = strconv.Atoi(fields[1])
	return ppid, err == nil
}

func ignoreGone(err error) error {
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
