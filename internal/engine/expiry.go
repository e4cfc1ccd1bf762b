package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/store"
)

// expiry keeps a list per tick of the entries of a kind that expire in it. Writing, taking and renewing cost the same
// regardless of the number of leases.
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

// expired calls f for the entries that have expired in the current tick.
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

// reclaims is the number of expired entries, registrations and transactions that one call reclaims. The rest is
// invisible to calls, but takes memory and stays locked.
const reclaims = 256

// late reports whether something expired in a past tick and is not yet reclaimed.
func (e *Engine) late() bool { return len(e.deadlines) > 0 && e.deadlines[0].tick < e.now>>tickShift }

// reclaim removes about n expired items of past ticks. Finding an empty tick counts for less.
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

// expire removes up to n of the entries that expire in a tick, and returns the number removed.
func (e *Engine) expire(d deadline, n int) (done int) {
	k := e.kinds[d.kind-1]
	l := k.expiry.ticks[d.tick]
	for ; l.First() != 0 && done < n; done++ {
		if s := l.First(); k.due(s) {
			e.reveal(k, s) // its lease starts now
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

// endAt files a registration or a delayed entry under the tick in which its lease or delay ends.
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

// endTick ends up to n items filed under a past tick, and returns their number. An item that was renewed meanwhile is
// also filed under a later tick.
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
		e.settle() // it ended before the next one: no call may get entries of both
	}
	if len(e.ending[tick]) == 0 && e.txnTicks[tick] == nil {
		e.deadlines.pop()
	}
	return done
}

// endOne ends a registration whose lease is over, or reveals a delayed entry, that was filed under a tick.
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

// deadlines is a binary heap with the earliest tick first.
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
