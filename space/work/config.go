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

// Config says how Run works. The zero value works.
type Config struct {
	// Workers is the number of handlers that run at the same time. 0: the number of processors (GOMAXPROCS), which
	// is right for handlers that compute; those that wait for others want more. With 1 each job is committed before the
	// next begins.
	Workers int

	// Prefetch bounds the jobs that are taken while all workers are busy: as many as will begin within 50 ms, as
	// long as jobs take, but at most Prefetch. They cannot be found by others meanwhile. 0: 32; negative: none.
	Prefetch int

	// Tries is the number of failed attempts, in any worker, after which a job becomes a dead letter. 0: 10;
	// negative: no limit.
	Tries int

	// Lease is the lease of the transactions, and so the longest time until the jobs of a dead worker are back: they
	// are back 30 seconds after its connection broke. Run renews it
	// while the worker lives, for all jobs with one call. The space may grant less. 0: a minute.
	Lease time.Duration

	// MinBackoff is the delay before the second attempt of a job. It doubles with each further one, up to MaxBackoff.
	// A random part of it, between half and all, is used, so that jobs which failed together do not come back
	// together. RetryAfter overrides it. 0: 100 ms, or MaxBackoff if that is less; negative: there is never a delay.
	MinBackoff time.Duration

	// MaxBackoff bounds the delay before an attempt. 0: a minute, or MinBackoff if that is more.
	MaxBackoff time.Duration

	// Drain bounds the time that Run goes on after its context has ended: handlers that run have so long to finish.
	// Their own contexts end a tenth of it before its end, or a second, if that is less; and when it is over Run
	// returns, with a *DrainError if there are handlers that still run. Set it below the time that the process is
	// granted to stop. 0: ten seconds; negative: the contexts end at once, and Run returns within 100 ms, which is the
	// least.
	Drain time.Duration

	// DeadLetter returns the struct to be written for a job that is given up, instead of d. space.Decode turns job, the
	// entry as the space stores it, into a value. nil: d itself.
	DeadLetter func(job space.Entry, d DeadLetter) any

	// Report is told whenever a job leaves Run's hands, and when no jobs can be taken for a while. Calls come from
	// several goroutines at once, before the worker turns to its next job. Stats.Add counts reports. nil: none.
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

// lastTry reports whether a job has failed as often as it may, with attempts failed ones.
func (c *Config) lastTry(attempts int) bool { return c.Tries > 0 && attempts >= c.Tries }

// delay returns how long a job that failed for the nth time stays away.
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
