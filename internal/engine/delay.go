package engine

import "github.com/gospaces/gospaces/internal/record"

// delay makes an entry invisible until a time.
func (e *Engine) delay(h held, visible int64) {
	h.k.entries.at(h.s).state = delayed
	h.k.later[h.s] = visible
	e.endAt(h.id, visible)
}

// reveal makes an entry visible whose time has come. One that was never visible before was written just now.
func (e *Engine) reveal(k *kind, s slot) {
	e.change()
	e.Log = record.AppendReveal(e.Log, k.entries.at(s).id, k.id)
	e.appear(k, s)
	if !k.alive(e, s) {
		return
	}
	to := fresh
	if k.entries.at(s).attempts > 0 {
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
