package client

import (
	"sync"

	"github.com/gospaces/gospaces/internal/wire"
)

// calls are the calls of a link with unknown outcomes: those in flight, those sent in sessions that are gone, and
// abandoned ones. The link's mu guards them.
type calls struct {
	flying    table
	owed      *owed
	orphans   orphans
	unclaimed map[uint64]unclaimed // by number of the call
	settled   sync.Cond            // on the link's mu: a call in flight has ended
	watchers  int                  // how many wait on settled
}

func newCalls(mu sync.Locker, lane *lane) calls {
	return calls{flying: table{numbers: &lane.numbers}, owed: &lane.owed, settled: sync.Cond{L: mu}}
}

// owe records that c, whose outcome was lost, must be repeated.
func (cs *calls) owe(c *pendingCall) {
	if !c.owing {
		c.owing = true
		cs.owed.add(1)
	}
}

// pay records that c was repeated, or will not be.
func (cs *calls) pay(c *pendingCall) {
	if c.owing {
		c.owing = false
		cs.owed.add(-1)
	}
}

// remove takes the call with a frame out of those in flight and returns it, or nil.
func (cs *calls) remove(frame uint64) *pendingCall {
	c := cs.flying.remove(frame)
	if c != nil && cs.watchers > 0 {
		cs.settled.Broadcast()
	}
	return c
}

// end ends a call in flight with an error.
func (cs *calls) end(c *pendingCall, err error) {
	cs.remove(c.frame)
	c.err = err
	c.done <- struct{}{}
}

// of returns the calls in flight of a space, or all.
func (cs *calls) of(s *part) []*pendingCall {
	all := cs.flying.all()
	if s == nil {
		return all
	}
	var calls []*pendingCall
	for _, c := range all {
		if c.part == s {
			calls = append(calls, c)
		}
	}
	return calls
}

// addUnclaimed records a call whose answer is lost, and that may have begun transactions.
func (cs *calls) addUnclaimed(number uint64, u unclaimed) {
	if cs.unclaimed == nil {
		cs.unclaimed = map[uint64]unclaimed{}
	}
	cs.unclaimed[number] = u
}

// late returns the abandoned call with a frame, if its outcome has not come, or nil.
func (cs *calls) late(frame uint64) *orphan {
	if o := cs.orphans.byFrame[frame]; o != nil && o.pending() {
		return o
	}
	return nil
}

// receive adds a part to the answer of a call.
func (cs *calls) receive(f wire.Frame) {
	if c := cs.flying.get(f.ID); c != nil {
		c.body = append(c.body, f.Body...)
	} else if o := cs.late(f.ID); o != nil {
		cs.orphans.received(o, f.Body)
	}
}

// outstanding reports whether outcomes must still be asked for, in the next session.
func (cs *calls) outstanding() bool { return cs.owed.any() || cs.orphans.wanted() }
