package partition

import (
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/txn"
)

// Partitions in different processes cannot commit a transaction at one instant. So with Config.Scattered a call that
// would meet an effect of a prepared branch waits for the outcome, even a call that does not wait for entries. That
// usually takes one message from the home; while the home changes its primary it takes as long as that.
//
// A read or take of one entry without an ordering does not wait if it finds one: it may have that entry whatever the
// outcome is. Calls that wait for entries already give no answer meanwhile.

// doubts returns the prepared branches whose outcomes a query has to wait for. The lock is held.
func (p *Partition) doubts(q *call.Query) []txn.ID {
	if !p.cfg.Scattered {
		return nil
	}
	return p.e.InDoubt(q)
}

// certain returns a call that first waits for the outcomes of branches that it would meet.
func (p *Partition) certain(
	start func(now int64, budget int, q *call.Query) (call.Result, engine.Unfinished),
) func(now int64, budget int, q *call.Query) (call.Result, engine.Unfinished) {
	return func(now int64, budget int, q *call.Query) (call.Result, engine.Unfinished) {
		ids := p.doubts(q)
		if ids == nil {
			return start(now, budget, q)
		}
		return call.Result{}, p.e.Settling(ids, func(now int64, budget int) (call.Result, engine.Unfinished) {
			return start(now, budget, q)
		})
	}
}

// doCertain is do for a call about entries, which first waits for the outcomes of branches with effects on them. keep
// is called before a wait: it copies what the call would lose.
func (p *Partition) doCertain(c Caller, callID uint64, entries []uint64, keep func(),
	op func(now int64) call.Result,
) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.refuse(c, callID, p.refusal())
		return
	}
	if ids := p.entriesInDoubt(entries); ids != nil {
		keep()
		p.later(c, callID, ids, op)
		return
	}
	p.result = op(p.clock.now())
	p.reply(c, callID, &p.result)
	p.finish()
}

// entriesInDoubt returns the prepared branches with effects on some entries.
func (p *Partition) entriesInDoubt(entries []uint64) (ids []txn.ID) {
	if !p.cfg.Scattered {
		return nil
	}
	for _, id := range entries {
		ids = append(ids, p.e.EntryInDoubt(id)...)
	}
	return ids
}

// later makes a call once the outcomes of some branches are known. If there are none it does nothing, and returns
// false. The lock is held.
func (p *Partition) later(c Caller, callID uint64, ids []txn.ID, op func(now int64) call.Result) bool {
	if ids == nil {
		return false
	}
	steps := p.e.Settling(ids, func(now int64, _ int) (call.Result, engine.Unfinished) { return op(now), nil })
	p.goOn(&wait{callKey: callKey{c, callID}, steps: steps}, 0)
	p.finish()
	return true
}

// findLater makes a Find once the outcomes of some branches are known, which it waits for even if d is 0. If there are
// none it does nothing, and returns false. The lock is held.
func (p *Partition) findLater(c Caller, callID uint64, q *call.Query, d time.Duration, ids []txn.ID) bool {
	if ids == nil {
		return false
	}
	w := &wait{callKey: callKey{c, callID}, query: q, impatient: d == 0, certain: true}
	w.steps = p.settling(w, ids)
	p.goOn(w, d)
	return true
}

// settling returns the rest of a Find that waits for the outcomes of some branches.
func (p *Partition) settling(w *wait, ids []txn.ID) engine.Unfinished {
	return p.e.Settling(ids, func(now int64, budget int) (call.Result, engine.Unfinished) {
		r, x := p.e.StartFind(now, budget, w.query)
		if x == nil {
			return r, nil
		}
		return r, x
	})
}

// doubtLate makes a Find that has found nothing wait for outcomes before it says so. If there are none to wait for it
// does nothing, and returns false.
func (p *Partition) doubtLate(w *wait, err error) bool {
	if w.query == nil || w.certain || !errors.Is(err, call.ErrNoMatch) {
		return false
	}
	ids := p.doubts(w.query)
	if ids == nil {
		return false
	}
	w.certain, w.impatient = true, true
	w.steps = p.settling(w, ids)
	p.upkeep.searches = append(p.upkeep.searches, w)
	return true
}
