package partition

import (
	"log/slog"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// clock is the time of a space. It only goes forward: with the machine's monotonic clock once it runs, whatever becomes
// of the wall clock, and otherwise by what the wall clock says has passed since the last message of the log. So no
// lease ends, or lives on, because a wall clock was set. It runs from when the partition is the primary, or has heard
// another primary; and a primary that takes over goes on from there.
type clock struct {
	wall    func() time.Time
	running bool
	time    int64     // of the space at since
	since   time.Time // by the monotonic clock
	last    record.Clock

	ahead int64 // of the wall clock before the space's time; owned by run
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

// read returns what the log, or a snapshot, tells of the time.
func (c *clock) read() record.Clock { return record.Clock{Space: c.now(), Wall: c.wall().UnixNano()} }

// hear takes note of what the log tells, which was perhaps long ago.
func (c *clock) hear(told record.Clock) {
	if told == (record.Clock{}) {
		return
	}
	c.last = told
	if c.running && told.Space > c.now() {
		c.set(told.Space)
	}
}

// hearNow is hear for a message that the primary has just appended.
func (c *clock) hearNow(told record.Clock) {
	if !c.running && told != (record.Clock{}) {
		c.set(told.Space)
		c.running = true
	}
	c.hear(told)
}

func (c *clock) set(now int64) {
	c.time, c.since = now, time.Now()
	c.ahead = c.wall().UnixNano() - now
}

// next returns what the clock would show, if it ran from now on.
func (c *clock) next() record.Clock {
	told := c.read()
	if !c.running && c.last.Space != 0 {
		told.Space = c.last.Space + max(0, told.Wall-c.last.Wall)
	}
	return told
}

// run lets the clock run, if it does not.
func (c *clock) run(logger *slog.Logger) {
	if c.running {
		return
	}
	told := c.next()
	c.set(told.Space)
	c.running = true
	if back := c.last.Wall - told.Wall; c.last.Space != 0 && back > 0 {
		logger.Warn("the log is from the future: the machine's clock was set back; the space goes on from the log's time", "future", time.Duration(back))
	}
	if c.differs(0) {
		logger.Info("the space's time is not that of the machine's clock", "machine_ahead", time.Duration(c.ahead))
	}
}

// check tells the operator if the wall clock was set.
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
