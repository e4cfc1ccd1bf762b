package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// closedAtStart reports whether f is what the Go runtime puts in the place of a standard stream that was closed when
// the process started: the null device, open for reading and writing. A shell opens it for writing only, so
// `> /dev/null` is not that.
func closedAtStart(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(info, null) {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}
