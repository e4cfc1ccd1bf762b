package budget

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// machineMemory returns the bytes of memory of the machine; 0 if they are not known.
func machineMemory() int64 { return memTotal("/proc/meminfo") }

// memTotal reads the total memory from a file in the format of /proc/meminfo.
func memTotal(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte("MemTotal:"))
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(string(bytes.TrimSpace(rest)), " kB"), 10, 64)
		if err != nil {
			return 0
		}
		return kb << 10
	}
	return 0
}

// containerMemory returns the smallest limit of the control groups of this process; 0 if there is none.
func containerMemory() int64 { return groupLimit("/proc/self/cgroup", "/sys/fs/cgroup") }

// groupLimit is containerMemory for a given list of groups and the folder in which they are mounted. Each limit also
// holds for the groups below. In a container the path of its own group may be that of the host, and the root of the
// mount is the group.
func groupLimit(list, mount string) (least int64) {
	b, err := os.ReadFile(list)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, name := mount, "memory.max"
		if parts[1] != "" { // version 1: a hierarchy for each controller
			root, name = path.Join(mount, "memory"), "memory.limit_in_bytes"
		}
		if parts[1] != "" && parts[1] != "memory" {
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if limit := readLimit(path.Join(root, group, name)); limit > 0 && (least == 0 || limit < least) {
				least = limit
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// unlimited is more memory than any machine has: version 1 reports such a number if there is no limit.
const unlimited = 1 << 60

// readLimit reads one limit; 0 if there is none.
func readLimit(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64) // fails for "max"
	if err != nil || limit >= unlimited {
		return 0
	}
	return limit
}
