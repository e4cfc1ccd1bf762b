package writeback

import "time"

// The range of a timestamptz, in seconds since the Unix epoch: from 4714-11-24 BC, to before 294277-01-01.
const (
	firstSecond = -210866803200
	endSecond   = 9224318016000
)

// appendTime appends t, which is in UTC, in a form that PostgreSQL reads in any time zone, rounded down to the
// microsecond. A time out of range becomes infinity.
func appendTime(dst []byte, t time.Time) []byte {
	switch sec := t.Unix(); {
	case sec < firstSecond:
		return append(dst, "-infinity"...)
	case sec >= endSecond:
		return append(dst, "infinity"...)
	}
	year, month, day := t.Date()
	suffix := "+00"
	if year < 1 {
		year, suffix = 1-year, "+00 BC" // the year before 1 is 1 BC
	}
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), int(month), 2)
	dst = appendPadded(append(dst, '-'), day, 2)
	hour, minute, second := t.Clock()
	dst = appendPadded(append(dst, ' '), hour, 2)
	dst = appendPadded(append(dst, ':'), minute, 2)
	dst = appendPadded(append(dst, ':'), second, 2)
	if micros := t.Nanosecond() / 1000; micros > 0 {
		dst = appendPadded(append(dst, '.'), micros, 6)
	}
	return append(dst, suffix...)
}

// appendPadded appends n, which is not negative, with at least width digits.
func appendPadded(dst []byte, n, width int) []byte {
	var digits [20]byte
	at := len(digits)
	for ; n > 0 || width > 0; width-- {
		at--
		digits[at] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[at:]...)
}
