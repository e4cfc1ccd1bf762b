package budget

import (
	"math"
	"runtime/debug"
)

// Default limits, in percent of the memory of a container, which a process has mostly to itself, and of a machine.
const (
	containerPart = 90
	machinePart   = 75
)

// Default returns the limit of a process that sets none: GOMEMLIMIT if set, or else a fraction of the memory of its
// container or of the machine. It returns 0, no limit, if the system reports neither.
func Default() int64 {
	if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
		return set
	}
	machine, container := machineMemory(), containerMemory()
	switch {
	case container > 0 && (machine == 0 || container < machine):
		return container / 100 * containerPart
	default:
		return machine / 100 * machinePart
	}
}

// collectPart is the percentage of the limit above which the runtime collects garbage rather than use more memory. It
// may still use more while the collector does not keep up, and it does not count the program itself.
const collectPart = 90

// Enforce makes the runtime keep within limit bytes, as well as it can, unless GOMEMLIMIT is set.
func Enforce(limit int64) {
	if limit > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(limit / 100 * collectPart)
	}
}
