package node

import (
	"context"
	"sync"
	"time"
)

// ages tells how old entries are, to about a second or a sixteenth, without memory for each: it knows how far the order
// of a replica's entries had come at some times. Its methods may be called concurrently.
type ages struct {
	mu    sync.Mutex
	marks []ageMark // guarded by mu; by order, and by time
}

// ageMark tells that the entries up to one in the order were there at a time.
type ageMark struct {
	order uint64
	at    time.Time
}

const (
	// sampleEvery is the time between two samples.
	sampleEvery = time.Second

	// maxMarks is the number of marks at which they are thinned.
	maxMarks = 1024
)

// sample takes note of the present end of the order.
func (a *ages) sample(order uint64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.marks)
	switch {
	case n > 0 && order == a.marks[n-1].order:
		return
	case n > 0 && order < a.marks[n-1].order: // another space
		a.marks = nil
	case n >= maxMarks:
		a.thin(now)
	}
	a.marks = append(a.marks, ageMark{order, now})
}

// thin drops the marks without which ages are still exact to a sixteenth. Some hundred are left, however long it was.
func (a *ages) thin(now time.Time) {
	kept := a.marks[:1]
	for i := 1; i < len(a.marks); i++ {
		last := i == len(a.marks)-1
		if last || a.marks[i+1].at.Sub(kept[len(kept)-1].at) > now.Sub(a.marks[i+1].at)/16 {
			kept = append(kept, a.marks[i])
		}
	}
	a.marks = kept
}

// age returns for how long the entry at a place in the order has been there: at least, if it was before the first
// sample.
func (a *ages) age(order uint64, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.marks {
		if m.order >= order {
			return now.Sub(m.at)
		}
	}
	return 0
}

// sampleAges samples the replicas on this node until ctx ends.
func (n *Node) sampleAges(ctx context.Context) {
	t := time.NewTicker(sampleEvery)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, s := range n.replicas() {
				s.ages.sample(s.partition.LastOrder(), now)
			}
		case <-ctx.Done():
			return
		}
	}
}

// replicas returns the replicas on this node.
func (n *Node) replicas() (all []*hosted) {
	switch {
	case !n.up.Load():
	case n.fleet != nil:
		for _, s := range n.fleet.all() {
			all = append(all, s)
		}
	default:
		all = n.spaces.all()
	}
	return all
}

// oldest returns the ages of the oldest free entries, in seconds, by kind.
func (s *hosted) oldest() map[string]float64 {
	now, oldest := time.Now(), map[string]float64{}
	s.partition.OldestFree(func(kind string, order uint64) { oldest[kind] = s.ages.age(order, now).Seconds() })
	return oldest
}
