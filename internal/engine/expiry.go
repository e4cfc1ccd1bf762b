package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/store"
)

// expiry files the entries of a kind that will expire under the tick in which they do, a list per tick, so that
// writing, taking and renewing cost the same however many leases there are.
type expiry struct {
	ticks map[int64]*store.List
	links store.Links
}

// tickShift makes a tick about a millisecond.
const tickShift = 20

// deadline says that entries of a kind expire in a tick.
type deadline struct {
	tick int64
	kind call.KindID
}

func (x *expiry) add(e *Engine, k *kind, s slot) {
	tick := k.At(s).Expires >> tickShift
	l := x.ticks[tick]
	if l == nil {
		if x.ticks == nil {
			x.ticks = map[int64]*store.List{}
		}
		l = new(store.List)
		x.ticks[tick] = l
		e.deadlines.push(deadline{tick, k.id})
	}
	l.Append(&x.links, s)
}

func (x *expiry) remove(k *kind, s slot) {
	x.ticks[k.At(s).Expires>>tickShift].Remove(&x.links, s)
}

// expired calls f with the entries that have expired in the tick that is not over yet.
func (x *expiry) expired(e *Engine, k *kind, f func(s slot)) {
	l := x.ticks[e.now>>tickShift]
	if l == nil {
		return
	}
	for s := l.First(); s != 0; s = x.links.Next(s) {
		if k.At(s).Expires <= e.now {
			f(s)
		}
	}
}

// reclaims is how much one call reclaims of what has expired: entries, registrations and transactions. No call sees the
// rest, but it takes up memory, and is locked.
const reclaims = 256

// late reports whether something has expired in a tick that is over, and was not reclaimed.
func (e *Engine) late() bool { return len(e.deadlines) > 0 && e.deadlines[0].tick < e.now>>tickShift }

// reclaim removes about n of what has expired in ticks that are over. To find that nothing is left in a tick counts for
// less.
func (e *Engine) reclaim(n int) {
	for empty := 8 * n; n > 0 && empty > 0 && e.late(); empty-- {
		d := e.deadlines[0]
		if d.kind == 0 {
			n -= e.endTick(d.tick, n)
		} else {
			n -= e.expire(d, n)
		}
	}
}

// expire removes up to n of the entries that expire in a tick, and returns how many.
func (e *Engine) expire(d deadline, n int) (done int) {
	k := e.kinds[d.kind-1]
	l := k.expiry.ticks[d.tick]
	for ; l.First() != 0 && done < n; done++ {
		if s := l.First(); k.due(s) {
			e.reveal(k, s) // its lease begins now
		} else {
			e.remove(k, s, record.Expired)
		}
	}
	if l.First() == 0 {
		delete(k.expiry.ticks, d.tick)
		e.deadlines.pop()
	}
	return done
}

// endAt files a registration or a delayed entry under the tick in which its lease, or its delay, is over.
func (e *Engine) endAt(id uint64, t int64) {
	if t == call.Forever {
		return
	}
	tick := t >> tickShift
	if len(e.ending[tick]) == 0 {
		e.deadlines.push(deadline{tick: tick})
	}
	e.ending[tick] = append(e.ending[tick], id)
}

// endTick ends up to n of what was filed under a tick that has passed, and returns how many. What was put off meanwhile
// is filed under a later tick, too.
func (e *Engine) endTick(tick int64, n int) (done int) {
	ids := e.ending[tick]
	now := ids[:min(n, len(ids))]
	if e.ending[tick] = ids[len(now):]; len(now) == len(ids) {
		delete(e.ending, tick)
	}
	for _, id := range now {
		e.endOne(id, tick)
	}
	done = len(now)
	for t := e.txnTicks[tick]; t != nil && done < n; t = e.txnTicks[tick] {
		done += 1 + len(t.own) + len(t.taken) + len(t.read)
		e.lapse(t)
		e.settle() // it ended before the next one did: no call is given entries of both
	}
	if len(e.ending[tick]) == 0 && e.txnTicks[tick] == nil {
		e.deadlines.pop()
	}
	return done
}

// endOne ends a registration whose lease is over, and reveals a delayed entry whose time has come, that was filed under
// a tick.
func (e *Engine) endOne(id uint64, tick int64) {
	if r := e.registrations[id]; r != nil && r.filed == tick {
		r.filed = 0
		if r.expires <= e.now {
			e.unregister(r, record.Expired)
			return
		}
		e.setRegistrationExpiry(r, r.expires)
		return
	}
	p, ok := e.store.Find(id)
	if !ok {
		return
	}
	if k := e.kinds[p.Kind-1]; k.At(p.Slot).State == delayed && k.later[p.Slot] <= e.now {
		e.reveal(k, p.Slot)
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
