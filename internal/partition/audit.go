package partition

// Audit returns a checksum of the state, and the position in the log up to which the log carries it. It reports false
// while changes are on their way to the log: then no position has exactly this state. Replicas of a partition have the
// same checksum at the same position. Audit visits the whole state, and calls wait meanwhile.
func (p *Partition) Audit() (hash, position uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role != primary && p.role != follower || p.role == primary && LSN(p.e.LSN()) != p.durable() {
		return 0, 0, false
	}
	return p.e.Hash(), p.commits.position, true
}
