package partition

import (
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
)

// registrationsStep is the number of registrations examined under one hold of the lock.
const registrationsStep = 256

// Registrations returns up to max registrations with identities higher than after, in that order, without those under
// transactions. It does not show one moment. It returns an error if the partition does not serve. It waits for the log
// if the primary has no lease.
func (p *Partition) Registrations(after uint64, max int) (found []Registration, more bool, err error) {
	ids, err := p.registrationIDs(after)
	if err != nil {
		return nil, false, err
	}
	more = len(ids) > max
	for part := range slices.Chunk(ids[:min(len(ids), max)], registrationsStep) {
		found = p.appendRegistrations(found, part)
	}
	if p.cfg.Lease > 0 {
		err = p.await(p.ctx, func(int64) call.Result { return call.Result{} }, nil)
	}
	return found, more, err
}

// registrationIDs returns the identities of all registrations that are higher than after, in order.
func (p *Partition) registrationIDs(after uint64) (ids []uint64, err error) {
	p.mu.Lock()
	if err = p.refusal(); err == nil {
		ids = slices.Collect(maps.Keys(p.e.Registrations()))
	}
	p.mu.Unlock()
	slices.Sort(ids)
	i, known := slices.BinarySearch(ids, after)
	if known {
		i++
	}
	return ids[i:], err
}

func (p *Partition) appendRegistrations(dst []Registration, ids []uint64) []Registration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		w, ok := p.e.Watching(id)
		if !ok {
			continue
		}
		r := Registration{Watching: w}
		if l := p.listeners[id]; l != nil {
			r.Attended, r.Unread = l.caller != nil, l.backlog.last-l.backlog.acked
		}
		dst = append(dst, r)
	}
	return dst
}
