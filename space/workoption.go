package space

import (
	"math/rand/v2"
	"runtime"
	"time"
)

// Defaults of Work.
const (
	defaultPrefetch = 32
	defaultTries    = 10
	defaultMinDelay = 100 * time.Millisecond
	defaultMaxDelay = time.Minute
	defaultDrain    = 10 * time.Second
)

// workOptions are the options that only Work has.
type workOptions struct {
	workers  int
	prefetch int
	tries    int // 0: without end
	minDelay time.Duration
	maxDelay time.Duration
	drain    time.Duration
	letter   any // func(T, DeadLetter) any, or nil
	report   func(WorkReport)
}

func defaultWorkOptions() workOptions {
	return workOptions{
		workers: runtime.GOMAXPROCS(0), prefetch: defaultPrefetch, tries: defaultTries,
		minDelay: defaultMinDelay, maxDelay: defaultMaxDelay, drain: defaultDrain, report: func(WorkReport) {},
	}
}

// workOption returns an option of Work that sets something, unless err says that it can never be right.
func workOption(which optionSet, err error, set func(*workOptions)) Option {
	return func(c *typedCall) {
		c.given |= which
		if err != nil {
			c.reject(err)
			return
		}
		if c.work == nil {
			o := defaultWorkOptions()
			c.work = &o
		}
		set(c.work)
	}
}

// Workers has Work run up to n handlers at a time. Without it there are as many as processors (GOMAXPROCS), which is right for
// handlers that compute; those that wait for others want more. With Workers(1) each job is committed before the next begins.
func Workers(n int) Option {
	var err error
	if n <= 0 {
		err = invalid("%d workers", n)
	}
	return workOption(optWorkers, err, func(o *workOptions) { o.workers = n })
}

// Prefetch bounds the jobs that Work takes while all its workers are busy, so that the next is there when one of them is free. Without it the bound is
// 32; with 0 a job is only taken for a worker that is free. Work takes no more ahead than its handlers, as fast as
// they have been, begin within a twentieth of a second: slow handlers make it take none, and leave the jobs to other processes.
func Prefetch(n int) Option {
	var err error
	if n < 0 {
		err = invalid("prefetch of %d jobs", n)
	}
	return workOption(optPrefetch, err, func(o *workOptions) { o.prefetch = n })
}

// Tries has Work make a dead letter of a job after n failed attempts, by whichever Work; 0 means never. Without it there are ten.
func Tries(n int) Option {
	var err error
	if n < 0 {
		err = invalid("%d tries", n)
	}
	return workOption(optTries, err, func(o *workOptions) { o.tries = n })
}

// Backoff sets the delay after which a failed job comes back: least after the first attempt, twice as long after each further one, but
// never more than most. What is used is a random part of it, between one half and all, so that jobs which
// failed together do not come back together. Without it the delay grows from 100 ms to a minute. See also RetryAfter.
func Backoff(least, most time.Duration) Option {
	var err error
	if least < 0 || most < least {
		err = invalid("backoff from %v to %v", least, most)
	}
	return workOption(optBackoff, err, func(o *workOptions) { o.minDelay, o.maxDelay = least, most })
}

// Drain bounds the time that Work goes on after its context has ended: handlers that run have d to finish. Their own contexts end a tenth of d before its
// end, or a second, if that is less; and when d is over Work returns, with a *DrainError if there are handlers that still run. Without it they have ten seconds.
// 0 ends their contexts at once, and Work returns within 100 ms; so it does for a shorter d. Set it below the time that whatever stops the process grants it.
func Drain(d time.Duration) Option {
	var err error
	if d < 0 {
		err = invalid("drain time %v is negative", d)
	}
	return workOption(optDrain, err, func(o *workOptions) { o.drain = d })
}

// DeadLetters has Work write what letter returns, a struct of the program's own, instead of a DeadLetter, for a job that it gives
// up. T must be that of Work; job is zero if a T cannot hold the entry.
func DeadLetters[T, D any](letter func(job T, d DeadLetter) D) Option {
	var err error
	if letter == nil {
		err = invalid("no function for dead letters")
	}
	return workOption(optDeadLetters, err, func(o *workOptions) {
		o.letter = func(job T, d DeadLetter) any { return letter(job, d) }
	})
}

// Report has Work call f whenever a job leaves its hands, and when it cannot take jobs for a while. Calls come from several
// goroutines at once, before the worker turns to its next job. WorkStats counts reports.
func Report(f func(WorkReport)) Option {
	var err error
	if f == nil {
		err = invalid("no function for reports")
	}
	return workOption(optReport, err, func(o *workOptions) { o.report = f })
}

// delay returns how long a job that failed for the nth time stays away.
func (o *workOptions) delay(n int) time.Duration {
	d := o.minDelay
	for ; n > 1 && d > 0 && d < o.maxDelay; n-- {
		d += min(d, o.maxDelay-d)
	}
	return d/2 + rand.N(d-d/2+1)
}
