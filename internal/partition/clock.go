package partition

import (
	"log/slog"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// clock is the time of a space. It only goes forward: while the space is served with the machine's monotonic clock, whatever becomes of the wall clock,
// and otherwise by what the wall clock says has passed since the last change in the log. So nobody's lease ends, or lives on, because a wall
// clock was set.
type clock struct {
	wall  func() time.Time
	time  int64     // of the space at since
	since time.Time // by the monotonic clock

	ahead int64 // of the wall clock before the space's time; owned by the committer
}

// stepped is by how much a wall clock differs that was set. What is less is drift.
const stepped = int64(time.Second)

func newClock(wall func() time.Time) clock {
	if wall == nil {
		wall = time.Now
	}
	c := clock{wall: wall, since: time.Now()}
	c.time = c.wall().UnixNano()
	return c
}

// now returns the time of the space, in nanoseconds since the Unix epoch, about.
func (c *clock) now() int64 { return c.time + int64(time.Since(c.since)) }

// goOn makes the clock go on from the time of the space at the last change in its log, and the wall clock's time then; zero if that is not known.
func (c *clock) goOn(last, then int64, logger *slog.Logger) {
	if last == 0 {
		return
	}
	wall := c.wall().UnixNano()
	c.time, c.since = last+max(0, wall-then), time.Now()
	c.ahead = wall - c.time
	if wall < then {
		logger.Warn("the log is from the future: the machine's clock was set back; the space goes on from the log's time", "future", time.Duration(then-wall))
	}
	if c.differs(0) {
		logger.Info("the space's time is not that of the machine's clock", "machine_ahead", time.Duration(c.ahead))
	}
}

// append appends what the log, or a snapshot, tells of the time.
func (c *clock) append(dst []byte) []byte {
	return record.AppendClock(dst, c.now(), max(0, c.wall().UnixNano()))
}

// check tells the log if the wall clock was set.
func (c *clock) check(logger *slog.Logger) {
	before := c.ahead
	if c.differs(before) {
		logger.Warn("the machine's clock was set; the space's time goes on as before", "by", time.Duration(c.ahead-before), "machine_ahead", time.Duration(c.ahead))
	}
}

// differs notes how far the wall clock is ahead now, and reports whether that is another distance than it was.
func (c *clock) differs(before int64) bool {
	ahead := c.wall().UnixNano() - c.now()
	if d := ahead - before; -stepped < d && d < stepped {
		return false
	}
	c.ahead = ahead
	return true
}
