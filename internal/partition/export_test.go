package partition

// WatchHolds makes p call the functions after it takes its lock and before it releases it. It must precede any use of
// p.
func WatchHolds(p *Partition, locked, unlocking func()) {
	p.mu.locked, p.mu.unlocking = locked, unlocking
}
