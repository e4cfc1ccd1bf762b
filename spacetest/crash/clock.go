//go:build linux

package crash

import (
	"syscall"
	"time"
	"unsafe"
)

// now returns the time since the machine was started, which is the same for all its processes and cannot be set.
func now() time.Duration {
	const monotonic = 1
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic("crash: no clock: " + errno.Error())
	}
	return time.Duration(ts.Nano())
}
