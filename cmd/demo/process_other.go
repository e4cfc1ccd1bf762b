//go:build !linux

package main

import (
	"fmt"
	"syscall"
)

// attributes returns nil: this system does not report the death of a parent.
func attributes() *syscall.SysProcAttr { return nil }

// addresses returns n addresses of this machine, with a port and those that follow.
func addresses(n, port int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("127.0.0.1:%d", port+i))
	}
	return all
}
