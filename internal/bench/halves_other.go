//go:build !linux

package bench

import (
	"os/exec"
	"syscall"
)

// halves would divide the processors; this is supported on Linux only.
type halves struct{}

func divide() (*halves, error) { return nil, nil }

func (h *halves) String() string { return "server and callers share the processors" }

func (h *halves) enter() error { return nil }

func (h *halves) leave() error { return nil }

func (h *halves) start(cmd *exec.Cmd) error { return cmd.Start() }

func tied() *syscall.SysProcAttr { return nil }
