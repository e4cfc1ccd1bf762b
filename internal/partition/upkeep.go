package partition

import "time"

// upkeep is the goroutine that does what the engine has to do beside the calls (engine.Work), while there is any. It holds the lock for a
// fraction of a millisecond at a time.
type upkeep struct {
	running bool // guarded by Partition.mu
	budget  int  // of a step; owned by the goroutine
	pace    pace // owned by the goroutine
}

const (
	// stepTime is how long a step should hold the lock. The engine counts in units, so the budget of a step follows what the last ones took.
	stepTime             = 250 * time.Microsecond
	minBudget, maxBudget = 64, 1 << 14
)

// keepUp has the upkeep done if there is any. The lock is held.
func (p *Partition) keepUp() {
	if p.upkeep.running || p.closed || !p.e.Busy() {
		return
	}
	p.upkeep.running = true
	p.done.Go(p.runUpkeep)
}

func (p *Partition) runUpkeep() {
	u := &p.upkeep
	u.budget = max(u.budget, minBudget)
	for {
		held, more := p.stepUpkeep()
		if !more {
			return
		}
		u.adapt(held)
		u.pace.rest(held)
	}
}

// stepUpkeep does one step, and returns how long it held the lock and whether there is more to do.
func (p *Partition) stepUpkeep() (held time.Duration, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.err != nil || !p.e.Busy() {
		p.upkeep.running = false
		return 0, false
	}
	began := time.Now()
	p.e.Work(p.upkeep.budget)
	return time.Since(began), true
}

// adapt sets the budget of the next step by how long the last one took.
func (u *upkeep) adapt(held time.Duration) {
	switch {
	case held > stepTime:
		u.budget = max(u.budget/2, minBudget)
	case held < stepTime/2:
		u.budget = min(2*u.budget, maxBudget)
	}
}
