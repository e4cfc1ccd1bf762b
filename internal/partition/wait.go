package partition

import (
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
)

// waits are the calls without a reply: those that wait for an entry, and those that go on in steps.
type waits struct {
	byCall    map[callKey]*wait
	byCaller  map[Caller]*wait // the head of each caller's list
	deadlines deadlines        // of those with a time limit
}

type callKey struct {
	caller Caller
	call   uint64
}

// wait is one such call. All fields are guarded by Partition.mu.
type wait struct {
	callKey
	query      *call.Query       // of a find; nil for other calls
	w          *engine.Waiter    // while it waits for an entry
	steps      engine.Unfinished // while it goes on in steps
	impatient  bool              // it does not wait for an entry, or no longer
	certain    bool              // it has waited for the outcomes of branches that were prepared before it
	ends       time.Time         // zero: no time limit
	place      int               // in the heap of the waits with one
	next, prev *wait             // of the same caller
}

// limited reports whether w has a time limit that is not over.
func (w *wait) limited() bool { return !w.ends.IsZero() }

// firstBudget is the number of entries that a call examines before it goes on in steps.
const firstBudget = 1 << 13

// Find reads, or takes if q.Take is set. Without a match it waits: not at all if d is 0, without limit if d is
// negative; a query of held entries does not wait. q must not change until the reply. Result: Entries, or ErrNoMatch.
func (p *Partition) Find(c Caller, callID uint64, q *call.Query, d time.Duration) {
	if q.Held {
		p.queryInSteps(c, callID, q, p.e.StartHeldFind)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.refusal()
	if !q.Take && q.Txn.IsZero() {
		err = p.unreadable()
	}
	if err == nil {
		err = p.e.Check(q)
	}
	if err == nil && q.Take { // also under a transaction, which could not be committed
		err = p.admit()
	}
	if err == nil && q.Begin {
		err = p.roomForTxns(q.Max)
	}
	if err != nil {
		p.refuse(c, callID, err)
		return
	}
	if (q.Max > 1 || len(q.Order) > 0) && p.findLater(c, callID, q, d, p.doubts(q)) {
		p.finish()
		return
	}
	var x *engine.Search
	p.result, x = p.e.StartFind(p.clock.now(), firstBudget, q)
	switch {
	case x != nil:
		p.goOn(&wait{callKey: callKey{c, callID}, query: q, steps: x, impatient: d == 0}, d)
	case !errors.Is(p.result.Err, call.ErrNoMatch) ||
		!p.park(c, callID, q, d) && !p.findLater(c, callID, q, 0, p.doubts(q)):
		p.reply(c, callID, &p.result)
	}
	p.finish()
}

// park makes a call wait. It returns false if the call has nothing to wait for.
func (p *Partition) park(c Caller, callID uint64, q *call.Query, d time.Duration) bool {
	if d == 0 && !p.e.Reserved(q) {
		return false
	}
	if p.crowded(c, callID) {
		return true
	}
	if p.role == readOnly {
		p.refuse(c, callID, p.refusal()) // nothing will come
		return true
	}
	if err := p.e.RoomToWait(q); err != nil {
		p.refuse(c, callID, err)
		return true
	}
	w := &wait{callKey: callKey{c, callID}, query: q, impatient: d == 0}
	if p.enqueue(w); w.w == nil {
		return false
	}
	p.keep(w, d)
	return true
}

// enqueue makes a call one that waits in the engine; w.w is nil if there is nothing to wait for.
func (p *Partition) enqueue(w *wait) {
	if w.impatient {
		w.w = p.e.ParkBriefly(w.query, w)
	} else {
		w.w = p.e.Park(w.query, w)
	}
}

// goOn continues a call in steps.
func (p *Partition) goOn(w *wait, d time.Duration) {
	if p.crowded(w.caller, w.call) {
		w.steps.Close()
		return
	}
	p.keep(w, d)
	p.upkeep.searches = append(p.upkeep.searches, w)
}

// crowded refuses a call if too many calls have no reply yet.
func (p *Partition) crowded(c Caller, callID uint64) bool {
	n := len(p.waits.byCall)
	if !reached(n, 1, p.cfg.Bounds.Waiting) {
		return false
	}
	p.refuse(c, callID, full(fmt.Sprintf("%d calls that wait", n), int64(n), "max-waits"))
	return true
}

// keep records a call without a reply, and ends its wait after d if d is positive.
func (p *Partition) keep(w *wait, d time.Duration) {
	p.waits.add(w)
	if d > 0 {
		w.ends = time.Now().Add(d)
		p.waits.deadlines.add(w, p.endDue)
	}
}

// step takes a step of a call that goes on in steps.
func (p *Partition) step(w *wait, budget int) {
	r, done := w.steps.Step(p.clock.now(), budget)
	if done {
		p.result, w.steps = r, nil
		if !p.parkLate(w) && !p.doubtLate(w, p.result.Err) {
			p.waits.remove(w)
			p.reply(w.caller, w.call, &p.result)
		}
	}
	p.finish()
}

// parkLate makes a call that has found nothing in steps wait, if it may.
func (p *Partition) parkLate(w *wait) bool {
	if w.query == nil || !errors.Is(p.result.Err, call.ErrNoMatch) || w.impatient && !p.e.Reserved(w.query) {
		return false
	}
	if p.role == readOnly {
		p.result = call.Result{Err: p.refusal()}
		return false
	}
	if err := p.e.RoomToWait(w.query); err != nil {
		p.result = call.Result{Err: err}
		return false
	}
	p.enqueue(w)
	return w.w != nil
}

// stop removes a call from the engine.
func (p *Partition) stop(w *wait) {
	if w.steps != nil {
		w.steps.Close()
		w.steps = nil
	} else {
		p.e.Unpark(w.w)
	}
}

// granted replies to a call whose wait the engine has ended.
func (p *Partition) granted(ew *engine.Waiter) {
	w := ew.Owner.(*wait)
	if ew.Again {
		w.w, w.steps = nil, p.e.Resume(w.query)
		p.upkeep.searches = append(p.upkeep.searches, w)
		return
	}
	p.waits.remove(w)
	p.result = call.Result{Err: ew.Err, Entries: ew.Got, Grants: ew.Grants, Depends: p.e.LSN()}
	p.reply(w.caller, w.call, &p.result)
}

// Release ends a reservation, if it has not ended yet.
func (p *Partition) Release(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.e.Release(p.clock.now(), number)
		p.finish()
	}
}

// CancelWait ends a call without a reply with ErrCancelled: a Find that waits, or a call that goes on in steps. If the
// call has had its reply it does nothing.
func (p *Partition) CancelWait(c Caller, callID uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.waits.byCall[callKey{c, callID}]; w != nil {
		p.endWait(w, call.ErrCancelled)
	}
}

// endWait ends a call without a reply: with err or, if err is nil, because its wait is over; in the latter case a call
// that goes on in steps finishes them.
func (p *Partition) endWait(w *wait, err error) {
	if err == nil && w.steps != nil {
		w.impatient = true
		return
	}
	if parked := w.w; err == nil && p.doubtLate(w, call.ErrNoMatch) {
		w.w = nil
		p.e.Unpark(parked)
		return
	}
	p.waits.remove(w)
	p.stop(w)
	if w.query == nil {
		w.caller.Reply(w.call, &call.Result{Err: err}, 0, true)
		return
	}
	under := w.query.Txn // the query belongs to its caller again after the reply
	if err != nil {
		w.caller.Reply(w.call, &call.Result{Err: err}, 0, true)
	} else {
		r := p.e.None(w.query)
		p.reply(w.caller, w.call, &r)
	}
	if !under.IsZero() {
		p.unblock()
	}
}

// unblock is called after waits under transactions have ended: the remaining ones may be a deadlock, which the engine
// may not notice otherwise.
func (p *Partition) unblock() {
	if p.err == nil {
		p.e.Expire(p.clock.now())
		p.finish()
	}
}

// endWaits ends all waits.
func (p *Partition) endWaits(err error) {
	for _, w := range p.waits.byCall {
		p.stop(w)
		w.caller.Reply(w.call, &call.Result{Err: err}, 0, true)
	}
	p.waits.deadlines.stop()
	p.waits = waits{}
}

// Gone removes c: its waits end with ErrCancelled, its registrations keep their events for the next listener that
// attaches.
func (p *Partition) Gone(c Caller) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := p.waits.byCaller[c]; w != nil; w = w.next {
		p.waits.remove(w)
		p.stop(w)
		c.Reply(w.call, &call.Result{Err: call.ErrCancelled}, 0, true)
	}
	for l := p.audience[c]; l != nil; l = p.audience[c] {
		p.leave(l)
	}
	p.disown(c)
	p.unblock()
}

func (ws *waits) add(w *wait) {
	if ws.byCall == nil {
		ws.byCall, ws.byCaller = map[callKey]*wait{}, map[Caller]*wait{}
	}
	ws.byCall[w.callKey] = w
	if w.next = ws.byCaller[w.caller]; w.next != nil {
		w.next.prev = w
	}
	ws.byCaller[w.caller] = w
}

// remove removes w; w.next stays.
func (ws *waits) remove(w *wait) {
	ws.deadlines.remove(w)
	delete(ws.byCall, w.callKey)
	if w.next != nil {
		w.next.prev = w.prev
	}
	switch {
	case w.prev != nil:
		w.prev.next = w.next
	case w.next != nil:
		ws.byCaller[w.caller] = w.next
	default:
		delete(ws.byCaller, w.caller)
	}
}
