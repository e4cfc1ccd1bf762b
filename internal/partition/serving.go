package partition

import "time"

// Serving reports whether the partition is the primary, as far as it knows, and the epoch of its last claim. With
// Config.Lease it reports false while an append has waited for more than a second: the primary may be able to send, but
// not to hear.
func (p *Partition) Serving() (epoch uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch, p.role == primary && !p.unheard()
}

// silence is how long an append may wait for its acknowledgement until its primary counts as cut off.
const silence = time.Second

// unheard reports whether the append in flight has waited for too long.
func (p *Partition) unheard() bool {
	return p.cfg.Lease > 0 && p.commits.inFlight != nil && time.Since(p.sending.mono) > silence
}

// Position returns the position in the log of the last message that the partition has appended or applied.
func (p *Partition) Position() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commits.position
}

// Turned returns a channel that is closed when the partition next changes its role, or is closed.
func (p *Partition) Turned() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turned
}
