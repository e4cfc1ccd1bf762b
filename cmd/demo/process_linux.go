package main

import "syscall"

// attributes give a child a process group of its own, so that Ctrl-C reaches only this program, which then ends its
// children in order; and they end the child if this program should die without doing so.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
