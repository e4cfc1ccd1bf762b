package budget

import (
	"math"
	"runtime/debug"
)

// The parts, in percent, of what there is that a process may use if no limit is set: of a container it is mostly alone in, and of a machine.
const (
	containerPart = 90
	machinePart   = 75
)

// Default returns the limit of a process for which none is set: GOMEMLIMIT if that is set, or else a part of the memory of its
// container or of the machine; 0, which is without limit, if the system tells neither.
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

// collectPart is the part, in percent, of the limit from which on the runtime would rather collect garbage than use more. It uses more all the same while
// it does not keep up, and the program itself is not counted.
const collectPart = 90

// Enforce has the runtime keep within limit bytes, as well as it can, unless GOMEMLIMIT says otherwise.
func Enforce(limit int64) {
	if limit > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(limit / 100 * collectPart)
	}
}
