package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// The lease of a delayed entry runs from the moment it becomes visible. Until then its end is counted from when that
// should be. An entry that becomes visible later, because the server was down or busy, has its whole lease all the
// same.

// checkDelay returns ErrInvalidArgument for a delay that no call may ask for.
func checkDelay(d int64) error {
	switch {
	case d < 0:
		return fmt.Errorf("%w: negative delay", call.ErrInvalidArgument)
	case d > call.MaxDelay:
		return fmt.Errorf("%w: the delay is longer than 100 years", call.ErrInvalidArgument)
	}
	return nil
}

// delay makes an entry invisible until a time.
func (e *Engine) delay(h held, visible int64) {
	h.k.At(h.s).State = delayed
	h.k.later[h.s] = visible
	e.endAt(h.id, visible)
}

// start returns when the lease of the entry in slot s starts that is granted now: at once, or when the entry's delay is
// over.
func (k *kind) start(e *Engine, s slot) int64 {
	switch k.At(s).State {
	case delayed:
		return max(e.now, k.later[s])
	case written:
		return max(e.now, k.locks[s].visible)
	}
	return e.now
}

// due reports whether the entry in slot s is delayed, and its lease not over before the delay is.
func (k *kind) due(s slot) bool {
	en := k.At(s)
	return en.State == delayed && en.Expires >= k.later[s]
}

// shift makes the lease of the entry in slot s, of which something is left from a time on, run from another time on.
func (e *Engine) shift(k *kind, s slot, from, to int64) {
	en := k.At(s)
	if en.Expires == call.Forever || from == to {
		return
	}
	expires := after(to, between(from, en.Expires))
	e.Log = record.AppendRenew(e.Log, en.ID, k.id, expires)
	k.setExpiry(e, s, expires)
}

// reveal makes an entry visible whose time has come. One that was never visible before was written just now.
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
