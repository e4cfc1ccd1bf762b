package partition

// WatchHolds has the functions called whenever the lock of p was taken and is about to be given back. It must come before any use of p.
func WatchHolds(p *Partition, locked, unlocking func()) {
	p.mu.locked, p.mu.unlocking = locked, unlocking
}
