package work

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/gospaces/gospaces/space"
)

// Config configures Run. The zero value works.
type Config struct {
	// Workers is the number of handlers that run at the same time. 0: the number of processors (GOMAXPROCS), which suits
	// handlers that compute; handlers that wait for other systems want more. With 1, each job is committed before the next
	// one begins.
	Workers int

	// Prefetch bounds the jobs that are taken ahead while all workers are busy: as many as will begin within 50 ms, at the
	// present pace, but at most Prefetch. Other workers cannot find them meanwhile. 0: 32; negative: none.
	Prefetch int

	// Tries is the number of failed attempts, in any worker, after which a job becomes a dead letter. 0: 10;
	// negative: no limit.
	Tries int

	// Lease is the lease of the transactions, and so bounds the time until the jobs of a dead worker come back; if its
	// connection breaks they come back after 30 seconds. Run renews it while the worker lives, for all jobs with one call.
	// The space may grant less. 0: a minute.
	Lease time.Duration

	// MinBackoff is the delay before the second attempt of a job. It doubles with each further attempt, up to MaxBackoff.
	// The actual delay is random, between half of that and all of it, so that jobs which failed together do not come back
	// together. RetryAfter overrides it. 0: 100 ms, or MaxBackoff if that is less; negative: no delay.
	MinBackoff time.Duration

	// MaxBackoff bounds the delay before an attempt. 0: a minute, or MinBackoff if that is more.
	MaxBackoff time.Duration

	// Drain bounds the time for which Run goes on after its context has ended, so that running handlers can finish. Their
	// own contexts end a tenth of it before its end, or a second if that is less. When the time is over Run returns, with
	// a *DrainError if handlers still run. Set it below the time that the process is granted to stop. 0: ten seconds;
	// negative: the contexts end at once, and Run returns within 100 ms.
	Drain time.Duration

	// DeadLetter returns the struct to write in the place of a job that is given up. job is the entry as the space stores
	// it; space.Decode turns it into a value. nil: d itself is written.
	DeadLetter func(job space.Entry, d DeadLetter) any

	// Report is called when a job leaves Run's hands, and when no jobs can be taken for a while. Calls come from several
	// goroutines at once; a worker waits for the call before it turns to its next job. Stats.Add counts reports. nil: no
	// reports.
	Report func(Report)
}

// withDefaults returns c with every field set. Negative values that mean "none" have become 0.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Workers < 0 {
		errs = append(errs, invalid("Config.Workers is %d", c.Workers))
	}
	if c.Lease < 0 {
		errs = append(errs, invalid("Config.Lease of %v is negative", c.Lease))
	}
	if c.MaxBackoff < 0 || c.MaxBackoff > 0 && c.MaxBackoff < c.MinBackoff {
		errs = append(errs, invalid("Config.MaxBackoff of %v is less than MinBackoff", c.MaxBackoff))
	}
	c.Workers = cmp.Or(c.Workers, runtime.GOMAXPROCS(0))
	c.Prefetch = max(0, cmp.Or(c.Prefetch, 32))
	c.Tries = max(0, cmp.Or(c.Tries, 10))
	c.Lease = cmp.Or(c.Lease, time.Minute)
	c.MinBackoff = max(0, cmp.Or(c.MinBackoff, min(100*time.Millisecond, cmp.Or(c.MaxBackoff, time.Minute))))
	c.MaxBackoff = cmp.Or(c.MaxBackoff, max(c.MinBackoff, time.Minute))
	c.Drain = max(0, cmp.Or(c.Drain, 10*time.Second))
	if c.DeadLetter == nil {
		c.DeadLetter = func(_ space.Entry, d DeadLetter) any { return d }
	}
	if c.Report == nil {
		c.Report = func(Report) {}
	}
	return c, errors.Join(errs...)
}

// lastTry reports whether a job with so many failed attempts is not tried again.
func (c *Config) lastTry(attempts int) bool { return c.Tries > 0 && attempts >= c.Tries }

// delay returns the delay before a job comes back that has failed n times.
func (c *Config) delay(n int) time.Duration {
	d := c.MinBackoff
	for ; n > 1 && d > 0 && d < c.MaxBackoff; n-- {
		d += min(d, c.MaxBackoff-d)
	}
	return d/2 + rand.N(d-d/2+1)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: work: "+format, append([]any{space.ErrInvalidArgument}, args...)...)
}
