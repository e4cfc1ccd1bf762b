package partition

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Register creates a kind or extends it. Result.Count is its KindID, and Schema then returns its schema.
func (p *Partition) Register(c Caller, callID uint64, s *template.Schema) {
	if p.replyKnown(c, callID, s) {
		return
	}
	p.do(c, callID, func(now int64) call.Result {
		if err := p.roomForKind(s); err != nil {
			return call.Result{Err: err}
		}
		r := p.e.Register(now, s)
		if r.Err == nil {
			p.publishKinds()
		}
		return r
	})
}

// Describe looks a kind up. Result.Count is its KindID, and Schema then returns its schema; or call.ErrUnknownKind.
func (p *Partition) Describe(c Caller, callID uint64, kind string) {
	p.doInSteps(c, callID, func(int64) (call.Result, engine.Unfinished) { return p.e.Describe(kind), nil })
}

// Drop removes a kind that has no entries.
func (p *Partition) Drop(c Caller, callID uint64, kind string) {
	p.do(c, callID, func(now int64) call.Result {
		r := p.e.Drop(now, kind)
		if r.Err == nil {
			p.publishKinds()
		}
		return r
	})
}

// Write stores all drafts or none. Result: Grants.
func (p *Partition) Write(c Caller, callID uint64, under txn.ID, by call.Request, drafts []call.Draft) {
	tooLarge := p.checkSize(drafts)
	var room []byte
	if tooLarge == nil && under.IsZero() {
		room = p.bring(drafts)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := cmp.Or(p.refusal(), tooLarge)
	if err == nil && under.IsZero() {
		err = p.admit()
	}
	if err == nil {
		err = p.roomFor(drafts)
	}
	if err != nil {
		p.refuse(c, callID, err)
		return
	}
	p.provide(room)
	p.result = p.e.Write(p.clock.now(), under, by, drafts)
	p.reply(c, callID, &p.result)
	p.finish()
}

func (p *Partition) checkSize(drafts []call.Draft) error {
	if n := p.cfg.Limits.TxnEntries; len(drafts) > n {
		return fmt.Errorf("%w: %d entries in one write; at most %d are allowed: write them in parts", call.ErrTooLarge,
			len(drafts), n)
	}
	sum := 0
	for i := range drafts {
		n := len(drafts[i].Row)
		if n > p.cfg.MaxEntry {
			return fmt.Errorf("%w: entry of %d bytes; at most %d are allowed", call.ErrTooLarge, n, p.cfg.MaxEntry)
		}
		sum += n
	}
	if sum > p.cfg.MaxCall {
		return fmt.Errorf("%w: entries of %d bytes in one write; at most %d are allowed: write them in parts",
			call.ErrTooLarge, sum, p.cfg.MaxCall)
	}
	return nil
}

// Count counts the matches of q, which must not change until the reply. Result: Count.
func (p *Partition) Count(c Caller, callID uint64, q *call.Query) {
	if q.Held {
		p.queryInSteps(c, callID, q, p.e.StartHeldCount)
		return
	}
	p.queryInSteps(c, callID, q, p.certain(func(now int64, budget int, q *call.Query) (call.Result, engine.Unfinished) {
		r, x := p.e.StartCount(now, budget, q)
		if x == nil {
			return r, nil
		}
		return r, x
	}))
}

// queryInSteps runs a call with a query, which it checks, that may go on in steps.
func (p *Partition) queryInSteps(c Caller, callID uint64, q *call.Query,
	start func(int64, int, *call.Query) (call.Result, engine.Unfinished),
) {
	p.doInSteps(c, callID, func(now int64) (call.Result, engine.Unfinished) {
		if err := p.e.Check(q); err != nil {
			return call.Result{Err: err}, nil
		}
		return start(now, firstBudget, q)
	})
}

// Contents returns the next page of the matches of q: at most q.Max entries, none of which was on an earlier page.
// cursor is zero for the first page, then the Cursor of the previous Result. Result: Entries, More, Cursor. A page may
// be empty although More is set.
func (p *Partition) Contents(c Caller, callID uint64, q *call.Query, cursor call.Cursor) {
	if q.Held {
		p.queryInSteps(c, callID, q, func(now int64, budget int, q *call.Query) (call.Result, engine.Unfinished) {
			return p.e.StartHeldContents(now, budget, q, cursor)
		})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.refusal()
	if q.Txn.IsZero() {
		err = p.unreadable()
	}
	if err == nil {
		err = p.e.Check(q)
	}
	if err != nil {
		p.refuse(c, callID, err)
		return
	}
	contents := func(now int64) call.Result { return p.e.Contents(now, q, cursor) }
	if cursor == (call.Cursor{}) && p.later(c, callID, p.doubts(q), contents) {
		return
	}
	p.result = contents(p.clock.now())
	p.reply(c, callID, &p.result)
	p.finish()
}

// Renew renews the leases of entries and registrations. Result: Grants, Errs.
func (p *Partition) Renew(c Caller, callID uint64, by call.Request, d int64, ids []uint64) {
	keep := func() { ids = slices.Clone(ids) }
	p.doCertain(c, callID, ids, keep, func(now int64) call.Result {
		if err := p.admitRenewal(ids); err != nil {
			return call.Result{Err: err}
		}
		return p.e.Renew(now, by, d, ids)
	})
}

// Cancel ends leases. Result: Errs.
func (p *Partition) Cancel(c Caller, callID uint64, by call.Request, ids []uint64) {
	keep := func() { ids = slices.Clone(ids) }
	p.doCertain(c, callID, ids, keep, func(now int64) call.Result { return p.e.Cancel(now, by, ids) })
}

// Kinds counts the visible entries of each kind. Result: Counts, indexed by KindID-1.
func (p *Partition) Kinds(c Caller, callID uint64) {
	p.doInSteps(c, callID, func(now int64) (call.Result, engine.Unfinished) { return p.e.StartKinds(now, firstBudget) })
}

// doInSteps runs a call that may go on in steps.
func (p *Partition) doInSteps(c Caller, callID uint64, op func(now int64) (call.Result, engine.Unfinished)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.unreadable(); err != nil {
		p.refuse(c, callID, err)
		return
	}
	var rest engine.Unfinished
	if p.result, rest = op(p.clock.now()); rest != nil {
		p.goOn(&wait{callKey: callKey{c, callID}, steps: rest}, 0)
	} else {
		p.reply(c, callID, &p.result)
	}
	p.finish()
}

// query is do for calls with a query, which it checks.
func (p *Partition) query(c Caller, callID uint64, q *call.Query, op func(now int64) call.Result) {
	p.do(c, callID, func(now int64) call.Result {
		if err := p.e.Check(q); err != nil {
			return call.Result{Err: err}
		}
		return op(now)
	})
}

// do runs a call that does not wait.
func (p *Partition) do(c Caller, callID uint64, op func(now int64) call.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.refuse(c, callID, p.refusal())
		return
	}
	p.result = op(p.clock.now())
	p.reply(c, callID, &p.result)
	p.finish()
}

// reply delivers an outcome to its caller, to be shown once it is durable.
func (p *Partition) reply(c Caller, callID uint64, r *call.Result) {
	lsn := LSN(r.Depends)
	if r.Err != nil && errors.Is(r.Err, call.ErrTxnEnded) { // a crash must not restore its locks
		lsn = LSN(p.e.LSN())
	}
	lsn = p.underLease(lsn)
	c.Reply(callID, r, lsn, p.settled(c, lsn))
}

// refuse replies to a call that does not reach the engine.
func (p *Partition) refuse(c Caller, callID uint64, err error) {
	p.reply(c, callID, &call.Result{Err: err})
}

// finish follows every use of the engine: it serves waiting calls and listeners, and sends new records to the log. The
// engine has no effects left afterwards, so a call that is refused before it reaches the engine does not repeat them.
func (p *Partition) finish() {
	p.carryOut(&p.e.Effects)
	p.commits.note(p.e)
	p.settle()
	p.arm()
	if p.e.Busy() || len(p.upkeep.searches) > 0 {
		p.keepUp()
	}
}

// carryOut carries out the effects of a step of the engine.
func (p *Partition) carryOut(f *engine.Effects) {
	for _, w := range f.Granted {
		p.granted(w)
	}
	if len(f.Events) > 0 || len(f.Ended) > 0 {
		p.deliver()
	}
	if len(f.Lost) > 0 {
		p.tellHolders()
	}
	if len(f.Dissolved) > 0 || len(f.Doomed) > 0 {
		p.tellCoordinator()
	}
	f.Reset()
}
