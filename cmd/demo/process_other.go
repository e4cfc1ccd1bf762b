//go:build !linux

package main

import "syscall"

// attributes returns nil: this system does not report the death of a parent.
func attributes() *syscall.SysProcAttr { return nil }
