package partition

import "time"

// upkeep is the goroutine for long work, in steps that hold the lock for a fraction of a millisecond each: calls that
// examine many entries, in turns, and the engine's work beside calls (engine.Work). It runs while there is any.
type upkeep struct {
	running  bool    // guarded by Partition.mu, as are those below
	searches []*wait // calls that go on in steps, the next first; those that have ended are skipped
	working  bool    // the last step was one of engine.Work
	work     allowance
	search   allowance
}

// keepUp starts the upkeep. The lock is held.
func (p *Partition) keepUp() {
	if !p.upkeep.running && p.role != closed {
		p.upkeep.running = true
		p.done.Go(p.runUpkeep)
	}
}

func (p *Partition) runUpkeep() {
	var pace pace
	for {
		held, more := p.stepUpkeep()
		if !more {
			return
		}
		pace.rest(held)
	}
}

// stepUpkeep takes one step, and returns how long it held the lock; false if there is nothing to do.
func (p *Partition) stepUpkeep() (held time.Duration, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := &p.upkeep
	began := time.Now()
	w := p.nextSearch()
	switch {
	case !p.works() || w == nil && !p.e.Busy():
		u.running = false
		return 0, false
	case w == nil || p.e.Busy() && !u.working:
		u.working = true
		p.e.Work(u.work.units())
		held = time.Since(began)
		u.work.adapt(held)
	default:
		u.working = false
		u.searches = append(u.searches[1:], w)
		p.step(w, u.search.units())
		held = time.Since(began)
		u.search.adapt(held)
	}
	return held, true
}

// works reports whether the engine may work beside the calls: a follower builds the indexes of its primary.
func (p *Partition) works() bool { return p.role == follower || p.unreadable() == nil }

// nextSearch moves the next call that can continue to the front, and returns it; nil if there is none.
func (p *Partition) nextSearch() *wait {
	u := &p.upkeep
	for range u.searches {
		w := u.searches[0]
		switch {
		case w.steps == nil:
			u.searches = u.searches[1:]
		case w.steps.Blocked():
			u.searches = append(u.searches[1:], w)
		default:
			return w
		}
	}
	return nil
}

// allowance is the number of units of work for a step. It is adapted to the durations of the last steps, since the
// engine has no clock.
type allowance int

const (
	// stepTime is the time for which a step should hold the lock.
	stepTime             = 250 * time.Microsecond
	minBudget, maxBudget = 64, 1 << 14
)

func (b *allowance) units() int { return max(int(*b), minBudget) }

// adapt adjusts the allowance to the duration of a step, slowly: a single step may have been interrupted by the system.
func (b *allowance) adapt(held time.Duration) {
	n := allowance(b.units())
	switch {
	case held > stepTime:
		*b = max(n-n/8, minBudget)
	case held < stepTime/2:
		*b = min(n+n/4, maxBudget)
	}
}
