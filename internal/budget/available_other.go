//go:build !linux && !darwin

package budget

// machineMemory returns 0: the memory of the machine is unknown.
func machineMemory() int64 { return 0 }

// containerMemory returns 0: there are no containers.
func containerMemory() int64 { return 0 }
