//go:build !linux

package main

import "syscall"

// attributes has nothing to offer where a parent's death goes unnoticed.
func attributes() *syscall.SysProcAttr { return nil }
