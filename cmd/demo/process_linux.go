package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
)

// attributes give a child its own process group, so that Ctrl-C reaches only this program, which then stops its
// children in order; and a death signal, in case this program dies before that.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// addresses returns n addresses of this machine with a port. Here it has millions, so that nothing else has them.
func addresses(n, port int) (all []string) {
	network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
	for i := range n {
		all = append(all, fmt.Sprintf("%s.%d:%d", network, i+1, port))
	}
	return all
}
