package partition

import "time"

// pace limits the work beside calls to half of the time: after each step it rests.
type pace struct {
	credit time.Duration // time to work without a rest
}

const (
	// shortest is the shortest rest: without one the lock would be taken again before waiting callers wake up.
	shortest = 20 * time.Microsecond
	// overslept is the excess of a rest that shows that the processors are idle. The work then continues without rests for
	// up to amends: a caller that arrives meanwhile waits no longer.
	overslept, amends = 500 * time.Microsecond, time.Millisecond
)

// rest rests for as long as a step took. On an idle machine a rest lasts a millisecond, however short it was meant to
// be; then some of the next steps have none.
func (p *pace) rest(worked time.Duration) {
	if p.credit -= worked; p.credit > 0 {
		return
	}
	began := time.Now()
	time.Sleep(max(shortest, worked))
	p.credit = 0
	if longer := time.Since(began) - worked; longer > overslept {
		p.credit = min(longer, amends)
	}
}
