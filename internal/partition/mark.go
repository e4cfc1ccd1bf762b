package partition

import "slices"

// mark says where in the log the events of a registration are: the first one from position on is that with number seq.
type mark struct {
	seq, position uint64
}

// marks is a sparse index of a registration's part of the log, rising. It never takes more than a few kilobytes: the more
// there is to index, the farther apart are the marks.
type marks struct {
	at    []mark
	apart uint64 // events that are at least between two marks
}

const (
	minApart = 64
	maxMarks = 256
)

// add adds a mark behind all others, unless it is too near to the last.
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

// after returns the index of the first mark that is behind the event with number seq.
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

// lose removes the marks up to a position, from which nothing can be read any more.
func (ms *marks) lose(position uint64) {
	ms.at = slices.DeleteFunc(ms.at, func(m mark) bool { return m.position <= position })
}
