package server

import "github.com/gospaces/gospaces/internal/call"

// later holds encoded frames back until the log has acknowledged what they depend on. The session's lock guards it.
type later struct {
	buf   []byte
	marks []mark // rising in both
}

// mark says that the frames before end may be sent once lsn is durable.
type mark struct {
	lsn call.LSN
	end int
}

// add tells that buf now is b, and that what it is longer by depends on lsn. Frames leave in the order in which they
// came, so one with a lower LSN than the one before waits for that; the log acknowledges many at once anyway.
func (l *later) add(b []byte, lsn call.LSN) {
	l.buf = b
	if n := len(l.marks); n > 0 && l.marks[n-1].lsn >= lsn {
		l.marks[n-1].end = len(b)
		return
	}
	l.marks = append(l.marks, mark{lsn, len(b)})
}

// release appends to dst the frames that may be sent once lsn is durable, and forgets them.
func (l *later) release(dst []byte, lsn call.LSN) []byte {
	n := 0
	for n < len(l.marks) && l.marks[n].lsn <= lsn {
		n++
	}
	if n == 0 {
		return dst
	}
	end := l.marks[n-1].end
	dst = append(dst, l.buf[:end]...)
	l.buf = l.buf[:copy(l.buf, l.buf[end:])]
	l.marks = l.marks[:copy(l.marks, l.marks[n:])]
	for i := range l.marks {
		l.marks[i].end -= end
	}
	return dst
}
