package partition

import "slices"

// mark is a place in the log of a registration's events: the first event from position on has number seq.
type mark struct {
	seq, position uint64
}

// marks is a sparse index of a registration's events in the log, rising. It never takes more than a few kilobytes: the
// more events, the farther apart are the marks.
type marks struct {
	at    []mark
	apart uint64 // minimum number of events between two marks
}

const (
	minApart = 64
	maxMarks = 256
)

// add adds a mark after all others, unless it is too close to the last.
func (ms *marks) add(m mark) {
	if n := len(ms.at); n > 0 && m.seq-ms.at[n-1].seq < max(ms.apart, minApart) {
		return
	}
	if len(ms.at) == maxMarks {
		ms.thin()
	}
	ms.at = append(ms.at, m)
}

// thin removes every other mark.
func (ms *marks) thin() {
	ms.apart = 2 * max(ms.apart, minApart)
	for i := range len(ms.at) / 2 {
		ms.at[i] = ms.at[2*i]
	}
	ms.at = ms.at[:len(ms.at)/2]
}

// before returns the last mark from which the event with number seq can be reached; false if there is none.
func (ms *marks) before(seq uint64) (mark, bool) {
	i := ms.after(seq)
	if i == 0 {
		return mark{}, false
	}
	return ms.at[i-1], true
}

// first returns the first mark; false if there is none.
func (ms *marks) first() (mark, bool) {
	if len(ms.at) == 0 {
		return mark{}, false
	}
	return ms.at[0], true
}

// after returns the index of the first mark after the event with number seq.
func (ms *marks) after(seq uint64) int {
	i, _ := slices.BinarySearchFunc(ms.at, seq, func(m mark, seq uint64) int {
		if m.seq <= seq {
			return -1
		}
		return 1
	})
	return i
}

// forget removes the marks that only events up to seq need.
func (ms *marks) forget(seq uint64) {
	if i := ms.after(seq + 1); i > 1 {
		ms.at = slices.Delete(ms.at, 0, i-1)
	}
}

// lose removes the marks up to a position, which can no longer be read.
func (ms *marks) lose(position uint64) {
	ms.at = slices.DeleteFunc(ms.at, func(m mark) bool { return m.position <= position })
}
