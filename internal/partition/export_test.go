package partition

// WatchHolds makes p call the functions after it takes its lock and before it releases it. It must precede any use of
// p.
func WatchHolds(p *Partition, locked, unlocking func()) {
	p.mu.locked, p.mu.unlocking = locked, unlocking
}

// At returns the position of the last message of the log that p has applied, or appended, and the hash of its state.
func At(p *Partition) (position, hash uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commits.position, p.e.Hash()
}

// RoleOf returns the name of p's role.
func RoleOf(p *Partition) string { return p.now().String() }

// Building reports whether p builds indexes.
func Building(p *Partition) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.Busy()
}

// KnowsTime reports whether the clock of a partition runs.
func KnowsTime(p *Partition) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.running
}
