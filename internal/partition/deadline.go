package partition

import (
	"container/heap"
	"time"
)

// deadlines are the ends of waits with a time limit, the earliest first, with one timer. A timer for each wait would
// start a goroutine for each: as many stacks at once as waits that end together.
type deadlines struct {
	waits byEnd
	timer *time.Timer // nil before the first wait
	rings time.Time   // when the timer fires; zero: it is stopped
}

// add has fire called when w ends, at the latest, in a goroutine of its own.
func (ds *deadlines) add(w *wait, fire func()) {
	heap.Push(&ds.waits, w)
	if ds.timer == nil {
		ds.timer = time.AfterFunc(time.Until(w.ends), fire)
		ds.rings = w.ends
		return
	}
	ds.set()
}

// remove removes w. The timer stays as it is: it is set anew when it has fired.
func (ds *deadlines) remove(w *wait) {
	if w.limited() {
		heap.Remove(&ds.waits, w.place)
		w.ends = time.Time{}
	}
}

// set sets the timer to the earliest end, unless it fires before.
func (ds *deadlines) set() {
	if len(ds.waits) == 0 {
		return
	}
	if first := ds.waits[0].ends; ds.rings.IsZero() || first.Before(ds.rings) {
		ds.rings = first
		ds.timer.Reset(time.Until(first))
	}
}

// over returns the next wait that has ended at now, which stays; nil if there is none.
func (ds *deadlines) over(now time.Time) *wait {
	if len(ds.waits) == 0 || ds.waits[0].ends.After(now) {
		return nil
	}
	return ds.waits[0]
}

// stop stops the timer.
func (ds *deadlines) stop() {
	if ds.timer != nil {
		ds.timer.Stop()
	}
}

// endedAtOnce is how many waits end in one step.
const endedAtOnce = 256

// endDue ends the waits whose time is over, in steps.
func (p *Partition) endDue() {
	var pace pace
	for {
		held, more := p.endSome()
		if !more {
			return
		}
		pace.rest(held)
	}
}

// endSome takes one step, and returns how long it held the lock; false if there are no more waits to end for now.
func (p *Partition) endSome() (held time.Duration, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ds := &p.waits.deadlines
	ds.rings = time.Time{}
	began := time.Now()
	for range endedAtOnce {
		w := ds.over(began)
		if w == nil {
			ds.set()
			return 0, false
		}
		ds.remove(w)
		p.endWait(w, nil)
	}
	return time.Since(began), true
}

// byEnd is a heap of waits.
type byEnd []*wait

func (b byEnd) Len() int           { return len(b) }
func (b byEnd) Less(i, j int) bool { return b[i].ends.Before(b[j].ends) }

func (b byEnd) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i, j
}

// Push appends a *wait.
func (b *byEnd) Push(x any) {
	w := x.(*wait)
	w.place = len(*b)
	*b = append(*b, w)
}

// Pop removes the last wait.
func (b *byEnd) Pop() any {
	old := *b
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*b = old[:len(old)-1]
	return w
}
