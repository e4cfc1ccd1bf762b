package spacetest

import "syscall"

// endsWithParent makes a child process end when this one does, however that ends.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
