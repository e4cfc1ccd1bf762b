package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// The lease of a delayed entry starts when the entry becomes visible. Until then its end is computed from the planned
// time. An entry that becomes visible later, because the server was down or busy, still has its whole lease.

// checkDelay returns ErrInvalidArgument for a delay outside the allowed range.
func checkDelay(d int64) error {
	switch {
	case d < 0:
		return fmt.Errorf("%w: negative delay", call.ErrInvalidArgument)
	case d > call.MaxDelay:
		return fmt.Errorf("%w: the delay is longer than 100 years", call.ErrInvalidArgument)
	}
	return nil
}

// delay hides an entry until a time.
func (e *Engine) delay(h held, visible int64) {
	h.k.At(h.s).State = delayed
	h.k.later[h.s] = visible
	e.endAt(h.id, visible)
}

// start returns the time at which a lease granted now to the entry in slot s starts: now, or at the end of the entry's
// delay.
func (k *kind) start(e *Engine, s slot) int64 {
	switch k.At(s).State {
	case delayed:
		return max(e.now, k.later[s])
	case written:
		return max(e.now, k.locks[s].visible)
	}
	return e.now
}

// due reports whether the entry in slot s is delayed and its lease outlasts the delay.
func (k *kind) due(s slot) bool {
	en := k.At(s)
	return en.State == delayed && en.Expires >= k.later[s]
}

// shift moves the lease of the entry in slot s, if any of it is left at time from, so that it starts at time to.
func (e *Engine) shift(k *kind, s slot, from, to int64) {
	en := k.At(s)
	if en.Expires == call.Forever || from == to {
		return
	}
	expires := after(to, between(from, en.Expires))
	e.Log = record.AppendRenew(e.Log, en.ID, k.id, expires)
	k.setExpiry(e, s, expires)
}

// reveal makes an entry visible at the end of its delay. An entry that was never visible before counts as written now.
func (e *Engine) reveal(k *kind, s slot) {
	e.change()
	e.shift(k, s, k.later[s], e.now)
	e.Log = record.AppendReveal(e.Log, k.At(s).ID, k.id)
	e.appear(k, s)
	if !k.alive(e, s) {
		return
	}
	to := fresh
	if k.At(s).Attempts > 0 {
		to = again
	}
	e.revealing = true
	e.offer(k, s, to)
	e.revealing = false
	e.deal()
}

// appear puts a delayed entry at the end of the order.
func (e *Engine) appear(k *kind, s slot) {
	e.keepImage(k, s)
	delete(k.later, s)
	k.publish(e, s)
}
