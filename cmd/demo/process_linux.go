package main

import "syscall"

// attributes give a child its own process group, so that Ctrl-C reaches only this program, which then stops its
// children in order; and a death signal, in case this program dies before that.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
