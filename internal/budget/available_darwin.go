package budget

import "golang.org/x/sys/unix"

// machineMemory returns the bytes of memory of the machine; 0 if they are not known.
func machineMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}

// containerMemory returns 0: there are no containers.
func containerMemory() int64 { return 0 }
