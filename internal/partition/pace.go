package partition

import "time"

// pace keeps what goes on beside the calls from taking more than half of the time, a step and a rest at a time.
type pace struct {
	credit time.Duration // for working without a rest
}

const (
	// shortest is the shortest rest: without one the lock would be held again before those who wait for it are awake.
	shortest = 20 * time.Microsecond
	// overslept is by how much longer than meant a rest shows that the processors are idle. The work makes up for it by
	// going on without a rest, for amends at most: a caller that comes then waits no longer.
	overslept, amends = 500 * time.Microsecond, time.Millisecond
)

// rest rests for as long as a step took. On an idle machine a rest lasts a millisecond, however short it was meant to be; then some of the next
// steps have none.
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
