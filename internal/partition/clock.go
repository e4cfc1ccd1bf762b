package partition

import (
	"log/slog"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// clock is the time of a space. It never goes back. While it runs it follows the machine's monotonic clock, whatever
// happens to the wall clock; otherwise it advances by what the wall clock says has passed since the last message of the
// log. So no lease ends, or lives on, because a wall clock was set. It runs while the partition is the primary, or
// after another primary has told it; a primary that takes over continues from there.
type clock struct {
	wall    func() time.Time
	foreign bool // wall is not that of package time
	running bool
	time    int64     // of the space at since
	since   time.Time // by the monotonic clock
	last    record.Clock

	ahead int64 // of the wall clock before the space's time; owned by run
}

// stepped is the difference from which a wall clock counts as set. Smaller differences are drift.
const stepped = int64(time.Second)

func newClock(wall func() time.Time) clock {
	c := clock{wall: wall, foreign: wall != nil, since: time.Now()}
	if wall == nil {
		c.wall = time.Now
	}
	c.time = c.wall().UnixNano()
	return c
}

// now returns the approximate time of the space, in nanoseconds since the Unix epoch.
func (c *clock) now() int64 { return c.time + int64(time.Since(c.since)) }

// read returns the clock for the log, or for a snapshot.
func (c *clock) read() record.Clock { return record.Clock{Space: c.now(), Wall: c.wall().UnixNano()} }

// hear takes over the clock of a message, which may be old.
func (c *clock) hear(told record.Clock) {
	if told == (record.Clock{}) {
		return
	}
	c.last = told
	if c.running && told.Space > c.now() {
		c.set(told.Space)
	}
}

// learn starts the clock with the time of the space, unless it runs.
func (c *clock) learn(now int64) {
	if !c.running {
		c.set(now)
		c.running = true
	}
}

func (c *clock) set(now int64) {
	c.time, c.since = now, time.Now()
	c.ahead = c.wall().UnixNano() - now
}

// next returns what the clock would show if it started now.
func (c *clock) next() record.Clock {
	told := c.read()
	if !c.running && c.last.Space != 0 {
		told.Space = c.last.Space + max(0, told.Wall-c.last.Wall)
	}
	return told
}

// run starts the clock, if it does not run.
func (c *clock) run(logger *slog.Logger) {
	if c.running {
		return
	}
	told := c.next()
	c.set(told.Space)
	c.running = true
	if back := c.last.Wall - told.Wall; c.last.Space != 0 && back > 0 {
		logger.Warn("the log is from the future: the machine's clock was set back; the space goes on from the log's time",
			"future", time.Duration(back))
	}
	if c.differs(0) {
		logger.Info("the space's time is not that of the machine's clock", "machine_ahead", time.Duration(c.ahead))
	}
}

// check logs a warning if the wall clock was set.
func (c *clock) check(logger *slog.Logger) {
	before := c.ahead
	if c.differs(before) {
		logger.Warn("the machine's clock was set; the space's time goes on as before", "by", time.Duration(c.ahead-before),
			"machine_ahead", time.Duration(c.ahead))
	}
}

// differs records the lead of the wall clock, and reports whether it has changed since before.
func (c *clock) differs(before int64) bool {
	ahead := c.wall().UnixNano() - c.now()
	if d := ahead - before; -stepped < d && d < stepped {
		return false
	}
	c.ahead = ahead
	return true
}
