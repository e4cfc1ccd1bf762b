package engine

import "github.com/gospaces/gospaces/internal/record"

// expiry files the entries of a kind that will expire under the tick in which they do, a list per tick, so that
// writing, taking and renewing cost the same however many leases there are.
type expiry struct {
	ticks map[int64]*list
	links slab[link]
}

// tickShift makes a tick about a millisecond.
const tickShift = 20

// deadline says that entries of a kind expire in a tick.
type deadline struct {
	tick int64
	kind KindID
}

func (x *expiry) add(e *Engine, k *kind, s slot) {
	tick := k.entries.at(s).expires >> tickShift
	l := x.ticks[tick]
	if l == nil {
		if x.ticks == nil {
			x.ticks = map[int64]*list{}
		}
		l = new(list)
		x.ticks[tick] = l
		e.deadlines.push(deadline{tick, k.id})
	}
	l.pushBack(&x.links, s)
}

func (x *expiry) remove(k *kind, s slot) {
	x.ticks[k.entries.at(s).expires>>tickShift].remove(&x.links, s)
}

// overdue returns how many entries that all see have expired in the tick that is not over yet.
func (x *expiry) overdue(e *Engine, k *kind) int {
	l := x.ticks[e.now>>tickShift]
	if l == nil {
		return 0
	}
	n := 0
	for s := l.head; s != 0; s = x.links.at(s).next {
		if en := k.entries.at(s); en.expires <= e.now && en.state <= shared {
			n++
		}
	}
	return n
}

// endAt files a registration or a delayed entry under the tick in which its lease, or its delay, is over.
func (e *Engine) endAt(id uint64, t int64) {
	if t == Forever {
		return
	}
	tick := t >> tickShift
	if len(e.ending[tick]) == 0 {
		e.deadlines.push(deadline{tick: tick})
	}
	e.ending[tick] = append(e.ending[tick], id)
}

// endTick ends what was filed under a tick that has passed. What was put off meanwhile is filed under a later tick, too.
func (e *Engine) endTick(tick int64) {
	ids := e.ending[tick]
	delete(e.ending, tick)
	for _, id := range ids {
		if r := e.registrations[id]; r != nil && r.expires <= e.now {
			e.unregister(r, record.Expired)
		}
		p, ok := e.places.get(id)
		if !ok {
			continue
		}
		if k := e.kinds[p.kind-1]; k.entries.at(p.slot).state == delayed && k.later[p.slot] <= e.now {
			e.reveal(k, p.slot)
		}
	}
	for t := e.txnTicks[tick]; t != nil; t = e.txnTicks[tick] {
		e.abort(t, ErrTxnEnded)
		e.settle() // it ended before the next one did: nobody is given entries of both
	}
}

// deadlines is a binary heap, the earliest tick first.
type deadlines []deadline

func (h *deadlines) push(d deadline) {
	*h = append(*h, d)
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if a[up].tick <= a[i].tick {
			break
		}
		a[up], a[i] = a[i], a[up]
		i = up
	}
}

func (h *deadlines) pop() deadline {
	a := *h
	first := a[0]
	last := len(a) - 1
	a[0] = a[last]
	a = a[:last]
	*h = a
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return first
		}
		if down+1 < last && a[down+1].tick < a[down].tick {
			down++
		}
		if a[i].tick <= a[down].tick {
			return first
		}
		a[i], a[down] = a[down], a[i]
		i = down
	}
}
