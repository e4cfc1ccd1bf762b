package replication

import "sort"

// extentGrain is the minimum number of bytes between two recorded sizes.
const extentGrain = 256 << 10

// extent estimates the bytes appended to a log up to a message, to within extentGrain. Between two marks it assumes
// messages of equal size.
type extent struct {
	marks []extentMark // rising in both
}

// extentMark is the number of bytes appended up to and including the message at a position.
type extentMark struct {
	position uint64
	appended int64
}

// note records the bytes appended up to the message at a position, the last one.
func (e *extent) note(position uint64, appended int64) {
	if n := len(e.marks); n > 0 && (appended-e.marks[n-1].appended < extentGrain || position <= e.marks[n-1].position) {
		return
	}
	e.marks = append(e.marks, extentMark{position, appended})
}

// begin records the bytes appended up to the message before the first one.
func (e *extent) begin(position uint64, appended int64) {
	rest := e.marks[e.after(position):]
	if len(rest) > 0 {
		appended = min(appended, rest[0].appended)
	}
	e.marks = append([]extentMark{{position, appended}}, rest...)
}

// after returns the index of the first mark after a position.
func (e *extent) after(position uint64) int {
	return sort.Search(len(e.marks), func(i int) bool { return e.marks[i].position > position })
}

// at returns the approximate bytes appended up to the message at a position. end is the mark of the last message.
func (e *extent) at(position uint64, end extentMark) int64 {
	n := e.after(position)
	if n == 0 {
		return 0 // before all that is known
	}
	from := e.marks[n-1]
	if n < len(e.marks) {
		end = e.marks[n]
	}
	if position >= end.position {
		return end.appended
	}
	part := float64(position-from.position) / float64(end.position-from.position)
	return from.appended + int64(part*float64(end.appended-from.appended))
}

// Behind returns the size in bytes of the log's messages after a position, to within a few hundred KiB. Of messages
// from before this process it knows only the average size. It does not block.
func (l *Log) Behind(position uint64) int64 {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	st := &l.state
	if position >= st.Last {
		return 0
	}
	behind := st.Appended - l.extent.at(position, extentMark{st.Last, st.Appended})
	return max(0, min(behind, st.Bytes))
}
